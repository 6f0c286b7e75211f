/** Setup of a whole run: what it leaves in memory that processes share, where no name tells of whom it is, makes it fail. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const SHARED = '/dev/shm';
/** Of multiprocessing and of joblib. */
const SEGMENT = /^(?:psm_|sem\.|joblib_)/;
/** Another program on this machine may use some for a while. */
const PATIENCE_MS = 20_000;

function segments(): string[] {
  return process.platform === 'linux' ? readdirSync(SHARED).filter((name) => SEGMENT.test(name)) : [];
}

export default function setup(): () => Promise<void> {
  const before = new Set(segments());
  return async () => {
    const until = Date.now() + PATIENCE_MS;
    let left = segments().filter((name) => !before.has(name));
    while (left.length > 0 && Date.now() < until) {
      await sleep(50);
      left = left.filter((name) => existsSync(path.join(SHARED, name)));
    }
    if (left.length > 0) throw new Error(`the run has left in ${SHARED}: ${left.join(', ')}`);
  };
}
