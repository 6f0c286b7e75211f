import { EXIT } from '../host.js';
import { startRepl } from '../repl/session.js';
import type { Call } from '../spec.js';
import { withRunner } from '../store.js';

export async function run(call: Call): Promise<number> {
  return withRunner(
    call,
    async (runner) => {
      const session = await startRepl(runner, call.host);
      const hasFailed = await session.ended;
      return hasFailed && call.host.stdin.isTTY !== true ? EXIT.failed : EXIT.done;
    },
    { make: true },
  );
}
