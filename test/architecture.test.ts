import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** Rooms from the ground up; a file imports only from its own room and from rooms below. */
const ROOMS = [
  'ground', // the files of src/ itself that everything stands on
  'process',
  'store',
  'package',
  'parameters', // what the steps of a package can be set to
  'python',
  'validation',
  'frames',
  'registry',
  'worker',
  'deploy',
  'supervisor',
  'recording',
  'runner',
  'acceptance',
  'signing',
  'telemetry',
  'outbox',
  'fleet',
  'http',
  'testing',
  'face', // src/index.ts, the old names in it, and the names of all types
  'cli',
];

const source = fileURLToPath(new URL('../src/', import.meta.url));
const everything = readdirSync(source, { recursive: true, encoding: 'utf8' }).map((file) =>
  file.split(path.sep).join('/'),
);
const files = everything.filter((file) => file.endsWith('.ts'));

function roomOf(file: string): string {
  if (file.includes('/')) return file.slice(0, file.indexOf('/'));
  return ['index.ts', 'old-names.ts', 'types.ts'].includes(file) ? 'face' : 'ground';
}

function importsOf(file: string): string[] {
  const text = readFileSync(source + file, 'utf8');
  return [...text.matchAll(/(?:from|import\()\s*'(\.{1,2}\/[^']+)'/g)].map(([, specifier = '']) =>
    path.posix.join(path.posix.dirname(file), specifier.replace(/\.js$/, '.ts')),
  );
}

function circlesOf(graph: ReadonlyMap<string, Iterable<string>>): string[] {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (node: string, trail: string[]): void => {
    if (trail.includes(node)) {
      circles.push([...trail.slice(trail.indexOf(node)), node].join(' -> '));
    } else if (!done.has(node)) {
      for (const next of graph.get(node) ?? []) visit(next, [...trail, node]);
      done.add(node);
    }
  };
  for (const node of graph.keys()) visit(node, []);
  return circles;
}

test('every room is known', () => {
  expect([...new Set(files.map(roomOf))].filter((room) => !ROOMS.includes(room))).toEqual([]);
});

test('no file imports from a room above its own', () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((imported) => ROOMS.indexOf(roomOf(imported)) > ROOMS.indexOf(roomOf(file)))
      .map((imported) => `${file} imports ${imported}`),
  );
  expect(wrong).toEqual([]);
});

test('no file imports itself through others', () => {
  const graph = new Map(files.map((file) => [file, importsOf(file).filter((to) => files.includes(to))]));
  expect(circlesOf(graph)).toEqual([]);
});

test('no folder of a room imports itself through others', () => {
  const folders = files.filter((file) => file.split('/').length > 2);
  const graph = new Map<string, Set<string>>();
  for (const file of folders) {
    const from = path.posix.dirname(file);
    const to = importsOf(file)
      .filter((imported) => folders.includes(imported) && roomOf(imported) === roomOf(file))
      .map((imported) => path.posix.dirname(imported));
    graph.set(from, new Set([...(graph.get(from) ?? []), ...to.filter((folder) => folder !== from)]));
  }
  expect(graph.size).toBeGreaterThan(10);
  expect(circlesOf(graph)).toEqual([]);
});

test('no file is past 400 lines', () => {
  const long = everything.filter(
    (file) =>
      /\.(?:ts|py|mjs)$/.test(file) &&
      readFileSync(source + file, 'utf8')
        .trimEnd()
        .split('\n').length > 400,
  );
  expect(long).toEqual([]);
});

/** Who renames by the system's call alone, and why it does not wait there for who has the file open. */
const RENAME_ONCE = {
  'store/atomic-file.ts': 'has the wait',
  'store/lock-owner.ts': 'waits itself, and looks before each attempt whose lock it is',
  'store/audit-log.ts': 'rather writes on in the long file than waits',
  'supervisor/worker-logs/log-folder.ts': 'rather writes on in the long file than waits',
  'process/life.ts': 'renames a socket, which Windows has not',
  'frames/placed-file.ts': 'renames a file that nobody knows yet, while a call waits',
};

test('whoever renames a file waits on Windows for those who have it open, but for those that say why not', () => {
  const renamers = files.filter((file) =>
    /import \{[^}]*\brename(?:Sync)?\b[^}]*\} from 'node:fs/.test(readFileSync(source + file, 'utf8')),
  );
  expect(renamers.sort()).toEqual(Object.keys(RENAME_ONCE).sort());
});
