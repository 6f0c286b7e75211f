import { runCli } from './main.js';
import { EXIT } from './host.js';

/** A Ctrl-C of a terminal reaches the process from there and, under npm, once more from npm. */
const SAME_PRESS_MS = 2_000;

/** Ctrl+Break is what a service wrapper of Windows can send to one process group alone; no other system has it. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK'] as const;

/** Runs the command line of this process. The first signal asks the command to end; a later signal ends the process. */
export async function main(argv: readonly string[]): Promise<void> {
  const interrupt = new AbortController();
  let firstAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    const now = performance.now();
    if (firstAt === undefined) {
      firstAt = now;
      interrupt.abort(new Error(`interrupted by ${signal}`));
    } else if (now - firstAt > SAME_PRESS_MS) {
      process.exit(EXIT.interrupted); // the next command removes what is left in the store
    }
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  // A reader that has seen enough (`| head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.done);
    throw error;
  });
  process.exitCode = await runCli({
    argv,
    get stdin() {
      return process.stdin; // opened by those who read it: that takes its time
    },
    ...{ stdout: process.stdout, stderr: process.stderr },
    ...{ env: process.env, cwd: process.cwd(), interrupted: interrupt.signal },
  });
  for (const signal of SIGNALS) process.off(signal, onSignal);
}
