import { mkdir, open, rename, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { errnoCode } from './errno.js';
import { withLock } from './lock.js';

/** One line of an audit log. */
export interface AuditRecord {
  /** Unix time in milliseconds. */
  timestamp_ms: number;
  operator?: string;
  operation: string;
  /** Name of the file that an install was given; an upload has none. */
  zip?: string;
  name?: string;
  version?: string;
  pids?: string[];
  outcome: 'ok' | 'failed';
  duration_ms: number;
  /** Code of the failure. */
  code?: string;
  [key: string]: unknown;
}

const MAX_BYTES = 10 * 1024 * 1024;
const KEPT_FILES = 5;
const NEWLINE = 0x0a;

/** The last append of this process to each file. */
const appends = new Map<string, Promise<void>>();

/**
 * Appends a record as one JSON object a line. Past `maxBytes` the file becomes `<file>.1`, the older ones move up and
 * the oldest goes. One `write` of a short line is atomic in append mode, so that two processes do not mix theirs; those
 * of one process go one after the other, so that the lines have the order of the calls, also where a file system
 * finds the end of the file and writes there in two steps.
 */
export async function appendAudit(file: string, record: AuditRecord, maxBytes = MAX_BYTES): Promise<void> {
  const before = appends.get(file) ?? Promise.resolve();
  const append = before.catch(() => undefined).then(() => appendRecord(file, record, maxBytes));
  appends.set(file, append);
  try {
    await append;
  } finally {
    if (appends.get(file) === append) appends.delete(file);
  }
}

async function appendRecord(file: string, record: AuditRecord, maxBytes: number): Promise<void> {
  // Not the folders above it: where those are gone, the disk of the store is, and what lies in their place is not it.
  await mkdir(path.dirname(file)).catch((error: unknown) => {
    if (errnoCode(error) !== 'EEXIST') throw error;
  });
  if ((await sizeOf(file)) >= maxBytes) await rotate(file, maxBytes);
  const handle = await open(file, 'a+');
  try {
    const line = `${JSON.stringify(record)}\n`;
    await handle.writeFile((await endsInLine(handle)) ? line : `\n${line}`);
  } finally {
    await handle.close();
  }
}

/** Appends a record of something that has happened: a log that cannot be written does not undo it. */
export async function noteAudit(
  file: string,
  about: { operation: string; [key: string]: unknown },
  durationMs = 0,
): Promise<void> {
  const record: AuditRecord = {
    ...{ timestamp_ms: Date.now(), ...about, operation: about.operation },
    ...{ outcome: 'ok', duration_ms: Math.round(durationMs) },
  };
  await appendAudit(file, record).catch(() => undefined);
}

/** Appends the record of an operation however it ends, and passes its outcome on. */
export async function audited<T>(
  file: string,
  about: Omit<AuditRecord, 'timestamp_ms' | 'outcome' | 'duration_ms' | 'code'>,
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  const write = (outcome: 'ok' | 'failed', code?: string) =>
    // A full disk must not turn a finished operation into a failed one.
    appendAudit(file, {
      timestamp_ms: Date.now(),
      ...about,
      operation: about.operation as string,
      outcome,
      duration_ms: Math.round(performance.now() - startedAt),
      code,
    }).catch(() => undefined);
  try {
    const answer = await work();
    await write('ok');
    return answer;
  } catch (error) {
    await write('failed', (error as { code?: string }).code);
    throw error;
  }
}

/** Whether the last line is whole. One cut off, by a full disk or the end of power, must not take the next with it. */
async function endsInLine(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return true;
  const last = Buffer.alloc(1);
  await handle.read(last, 0, 1, size - 1);
  return last[0] === NEWLINE;
}

/** By one process at a time: two that rotate at once would move a file twice. The second process only appends. */
async function rotate(file: string, maxBytes: number): Promise<void> {
  try {
    await withLock(`${file}.lock`, { operation: 'rotate the log', timeoutMs: 0 }, async () => {
      if ((await sizeOf(file)) < maxBytes) return;
      for (let number = KEPT_FILES - 1; number >= 1; number--) {
        await rename(`${file}.${number}`, `${file}.${number + 1}`).catch(() => undefined);
      }
      await rename(file, `${file}.1`);
    });
  } catch {
    // An over-long log is better than a record lost.
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch {
    return 0;
  }
}
