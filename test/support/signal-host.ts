/** A host that takes a lock and waits for a signal, as its first argument says. Prints what it sees. */
import { setTimeout as delay } from 'node:timers/promises';
import { acquireLock } from '../../src/store/lock.js';

const [, , mode = '', file = ''] = process.argv;
const say = (line: string) => process.stdout.write(`${line}\n`);

if (mode === 'once') {
  process.once('SIGTERM', () => {
    say('ending');
    void delay(50).then(() => {
      say('ended');
      process.exitCode = 3;
      clearInterval(stay);
    });
  });
}
const emit = process.emit.bind(process);
const reallyExit = (process as unknown as { reallyExit: unknown }).reallyExit;
const listeners = () =>
  (['SIGINT', 'SIGTERM', 'SIGHUP', 'exit'] as const).map((event) => process.listenerCount(event)).join();
const before = listeners();
const stay = setInterval(() => undefined, 1_000);
const own = Object.getOwnPropertyDescriptor(process, 'emit');
const lock = await acquireLock(file, { operation: 'wait for a signal' });
say(`listeners ${before === listeners() ? 'same' : `${before} then ${listeners()}`}`);
const isSame =
  Object.getOwnPropertyDescriptor(process, 'emit') === own &&
  (process as unknown as { reallyExit: unknown }).reallyExit === reallyExit;
say(`process ${isSame ? 'same' : 'changed'}`);
emit('ready' as never);
if (mode === 'exit') {
  process.on('exit', (code) => {
    say(`exit ${code}`);
    process.exitCode = 7;
  });
  process.exit(5);
}
if (mode === 'release') {
  await lock.release();
  clearInterval(stay);
}
say('ready');
