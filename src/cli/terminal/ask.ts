import { createInterface } from 'node:readline/promises';
import type { Call } from '../spec.js';

/**
 * Asks before something is removed, where somebody sits at a terminal. A script has said what it wants by the command
 * itself.
 */
export async function agreed({ host, options, signal, out }: Call, question: string): Promise<boolean> {
  if (options.yes === true || host.stdin.isTTY !== true || host.stderr.isTTY !== true) return true;
  const lines = createInterface({ input: host.stdin, output: host.stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal });
    if (/^y(es)?$/i.test(answer.trim())) return true;
    out.say('Nothing was changed');
    return false;
  } finally {
    lines.close();
  }
}
