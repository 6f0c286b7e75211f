/**
 * A Node REPL with a runner composed: `npm run repl -- [folder of the store]`. Lines may come from a pipe.
 *
 *   runner> await deployer.install('<tab>')    names of zips, packages, versions and product ids are completed in quotes
 *   runner> await packages()                   what is deployed, as a table
 *   runner> await registry.list()              lists of anything are shown as tables
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import repl, { type REPLServer } from 'node:repl';
import { fileURLToPath } from 'node:url';
import { inspect, parseArgs } from 'node:util';
import * as library from 'procvision-runner';
import { LineByLine } from './repl/line-by-line.js';
import { formatTable } from './repl/table.js';

const { AlgorithmSupervisor, Deployer, PackageValidator, Registry, VenvManager } = library;

type Complete = (line: string, done: (error: Error | null, answer: [string[], string]) => void) => void;

/** Streams the session reads from and writes to. @defaultValue those of the process */
export interface ReplOptions {
  input?: NodeJS.ReadableStream;
  output?: NodeJS.WritableStream;
  /** Whether to edit lines and complete at Tab. @defaultValue whether `output` is a terminal */
  terminal?: boolean;
}

/** Opens the store, composes everything over it and starts a session; `closed` resolves when all of it is gone. */
export async function startRepl(root: string, options: ReplOptions = {}) {
  const venvs = new VenvManager();
  const validator = new PackageValidator({ venvs });
  const registry = await Registry.open(root);
  const deployer = new Deployer({ registry, venvs, validator });
  const supervisor = new AlgorithmSupervisor({ registry });

  /** Short ways to the lists that are asked for most. */
  const commands = {
    packages: async () =>
      pick(await registry.list(), ['name', 'version', 'state', 'generation', 'python_version']),
    active: async () =>
      pick(Object.values(await registry.active()), ['pid', 'name', 'version', 'activated_at']),
    zips: async () => {
      const found = (await deployer.scan()).map((zip) => ({
        ...zip,
        file: path.basename(zip.path),
        why: zip.reason?.message,
      }));
      return pick(found, ['file', 'source', 'name', 'version', 'state', 'why']);
    },
    workers: () => {
      const rows = supervisor
        .status()
        .flatMap(({ name, version, workers }) =>
          workers.map(({ latency, ...worker }) => ({ name, version, ...worker, p50Ms: latency.p50Ms })),
        );
      return pick(rows, [
        'name',
        'version',
        'worker',
        'state',
        'pid',
        'uptimeMs',
        'restarts',
        'calls',
        'p50Ms',
      ]);
    },
  };

  /** What is worth completing between quotes. */
  const words = async () => {
    const entries = await registry.list();
    const zips = readdirSync(registry.layout.zips).map((file) => path.join(registry.layout.zips, file));
    const pids = entries
      .flatMap((entry) => entry.supported_pids)
      .concat(Object.keys(await registry.active()));
    return [...new Set([...entries.flatMap(({ name, version }) => [name, version]), ...pids, ...zips])];
  };

  const { output = process.stdout } = options;
  const given = options.input ?? process.stdin;
  const isTerminal = options.terminal ?? (given as { isTTY?: boolean }).isTTY === true;
  const lines = isTerminal ? undefined : new LineByLine(given);
  const input = lines?.stream ?? given;
  output.write(`The store is ${registry.layout.root}. Try: await packages(), active(), zips(), workers()\n`);
  const session = repl.start({ prompt: 'runner> ', ...options, input, output, writer: show });
  lines?.feed(session);
  completeQuoted(session, words);
  Object.assign(session.context, library, { venvs, validator, registry, deployer, supervisor }, commands);
  const closed = new Promise<void>((resolve, reject) => {
    session.once('exit', () => {
      const close = async () => {
        await supervisor.close();
        await deployer.close();
        await registry.close();
      };
      close().then(resolve, reject);
    });
  });
  return { session, closed };
}

/** Lists of plain objects as tables, everything else as its own class shows it. */
function show(value: unknown): string {
  const isList = Array.isArray(value) && value.length > 0 && value.every(isPlain);
  return isList ? formatTable(value) : inspect(value, { colors: process.stdout.isTTY, depth: 4 });
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function pick<T extends object>(rows: T[], columns: (keyof T & string)[]): Partial<T>[] {
  return rows.map((row) => Object.fromEntries(columns.map((column) => [column, row[column]])) as Partial<T>);
}

/** Completes what stands in an open quote by the words of the store, and everything else as Node does. */
function completeQuoted(session: REPLServer, words: () => Promise<string[]>): void {
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
    words().then(
      (all) => {
        done(null, [all.filter((word) => word.startsWith(begun)), begun]);
      },
      (error: unknown) => {
        done(error as Error, [[], begun]);
      },
    );
  };
  Object.assign(session, { completer: complete });
}

const HELP = `npm run repl -- [folder of the store]

Opens the store (station in the working folder, made when it is not there) and starts a Node REPL with registry,
deployer, supervisor, validator and venvs composed over it, and everything that procvision-runner exports.
Lists: await packages(), await active(), await zips(), workers(). Leave with .exit.
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
  if (values.help) process.stdout.write(HELP);
  else await startRepl(positionals[0] ?? 'station');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    process.exitCode = 1;
  });
}
