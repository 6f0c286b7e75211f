import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { REPLServer } from 'node:repl';
import type { Runner } from 'procvision-runner';

type Complete = (line: string, done: (error: Error | null, answer: [string[], string]) => void) => void;

/** What is worth completing between quotes: names, versions, product ids, delivered zips, and files by what was begun. */
export async function wordsOf(
  { registry }: Runner,
  cwd: string,
): Promise<(begun: string) => Promise<string[]>> {
  const entries = await registry.list();
  const { zips } = registry.layout;
  // With `/`: a `\` between quotes is no part of a path there.
  const delivered = (await readdir(zips).catch(() => [])).map((file) => inCode(path.join(zips, file)));
  const ids = entries.flatMap((entry) => entry.supported_pids).concat(Object.keys(await registry.active()));
  const known = [
    ...new Set([...entries.flatMap(({ name, version }) => [name, version]), ...ids, ...delivered]),
  ];
  return async (begun) => {
    const words = known.filter((word) => word.startsWith(begun));
    return [...words, ...(await filesOf(begun, cwd)).filter((file) => !words.includes(file))];
  };
}

/** A path as it stands in a string of JavaScript. */
export function inCode(file: string, separator: string = path.sep): string {
  return file.replaceAll(separator, '/');
}

/** Files and folders that a path could become, written as it was begun. */
async function filesOf(begun: string, cwd: string): Promise<string[]> {
  const folder = begun.slice(0, begun.lastIndexOf('/') + 1);
  const entries = await readdir(path.resolve(cwd, folder === '' ? '.' : folder), {
    withFileTypes: true,
  }).catch(() => []);
  return entries
    .map((entry) => folder + entry.name + (entry.isDirectory() ? '/' : ''))
    .filter((file) => file.startsWith(begun) && (begun.slice(folder.length) !== '' || !file.startsWith('.')));
}

/** Completes what stands in an open quote by the words of the store and files, and everything else as Node does. */
export function completeQuoted(
  session: REPLServer,
  words: () => Promise<(begun: string) => Promise<string[]>>,
): void {
  const { completer } = session as unknown as { completer: Complete };
  const complete: Complete = (line, done) => {
    const quoted = /(['"`])([^'"`]*)$/.exec(line);
    // An even number of quotes: the last one closes.
    if (!quoted || (line.split(quoted[1] ?? '').length - 1) % 2 === 0) {
      // The path that the line ends with: Node 24 completes an expression only if it stands alone.
      const [path = ''] = /[\w$.]*$/.exec(line) ?? [];
      completer(path.startsWith('.') ? line : path, done);
      return;
    }
    const begun = quoted[2] ?? '';
    words()
      .then((of) => of(begun))
      .then(
        (found) => {
          done(null, [found, begun]);
        },
        (error: unknown) => {
          done(error as Error, [[], begun]);
        },
      );
  };
  Object.assign(session, { completer: complete });
}
