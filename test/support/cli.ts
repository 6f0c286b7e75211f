import { PassThrough, Readable } from 'node:stream';
import { runCli } from '../../src/cli/main.js';
import { temporaryFolder } from './temp-folder.js';

/** What a command line came to. */
export interface CliOutcome {
  code: number;
  stdout: string;
  stderr: string;
  json: () => unknown;
}

/** A folder in which command lines run, each in this process, one after the other. */
export interface CliFolder {
  folder: string;
  run: (...argv: string[]) => Promise<CliOutcome>;
  /** The same with what comes on stdin, or with a signal that interrupts it. */
  runWith: (
    o: { stdin?: string | Readable; interrupted?: AbortSignal; onOutput?: (text: string) => void },
    ...argv: string[]
  ) => Promise<CliOutcome>;
}

export async function cliFolder(): Promise<CliFolder> {
  const folder = await temporaryFolder();
  const runWith: CliFolder['runWith'] = async ({ stdin = '', interrupted, onOutput }, ...argv) => {
    const said = { stdout: '', stderr: '' };
    const stream = (name: 'stdout' | 'stderr') =>
      new PassThrough().setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
        onOutput?.(text);
      });
    const [stdout, stderr] = [stream('stdout'), stream('stderr')];
    const code = await runCli({
      ...{ argv, stdout, stderr, cwd: folder, env: {} },
      stdin: typeof stdin === 'string' ? Readable.from(stdin === '' ? [] : [Buffer.from(stdin)]) : stdin,
      interrupted: interrupted ?? new AbortController().signal,
    });
    await new Promise((resolve) => setImmediate(resolve)); // what was written last is read
    return { code, ...said, json: () => JSON.parse(said.stdout) as unknown };
  };
  return { folder, runWith, run: (...argv) => runWith({}, ...argv) };
}
