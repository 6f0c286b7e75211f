/** Takes one lock again and again, and writes when it enters and leaves. Prints a line for each. Ends when told how often. */
import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { acquireLock } from '../../src/store/lock.js';

const [, , file = '', journal = '', id = '', rounds = '0'] = process.argv;
for (let round = 0; round < Number(rounds); round++) {
  await using _lock = await acquireLock(file, { operation: `round ${round}`, timeoutMs: 60_000 });
  appendFileSync(journal, `enter ${id}\n`);
  process.stdout.write('.\n');
  // Time for another one to come in, if it can.
  if (round % 4 === 0) await delay(1);
  else await new Promise(setImmediate);
  appendFileSync(journal, `leave ${id}\n`);
}
