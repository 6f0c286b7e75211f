import type { LevelDatabase, LevelReader, Range } from './level.js';

/** What is read of the store that is open now. */
export interface StoreReader extends LevelReader {
  getMany(keys: string[]): Promise<(Buffer | undefined)[]>;
}

/**
 * Reads, with errors that say what to do: a database that is closed under a reader, because a write failed and it is read anew, fails in
 * words of LevelDB.
 */
export function readerOf(database: LevelDatabase, meaningOf: (error: unknown) => Error): StoreReader {
  const meant = (error: unknown): never => {
    throw meaningOf(error);
  };
  return {
    get: (key) => database.get(key).catch(meant),
    getMany: (keys) => database.getMany(keys).catch(meant),
    async *iterator(range: Range) {
      try {
        yield* database.iterator(range);
      } catch (error) {
        meant(error);
      }
    },
  };
}
