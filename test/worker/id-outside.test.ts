import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { idOutside } from '../../src/worker/forked-process.js';

/** Forks in a thread: the kernel's list of the children of the first thread does not have the process. */
const FORKS_IN_A_THREAD = `import os, threading, time
def fork():
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    print(child, flush=True)
    time.sleep(60)
threading.Thread(target=fork).start()
`;

test.runIf(process.platform === 'linux')(
  'a child that the list of children leaves out is found all the same, and a process of somebody else is not',
  async () => {
    const parent = spawn('python3', ['-c', FORKS_IN_A_THREAD], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string];
    const child = Number(line);
    onTestFinished(() => {
      for (const pid of [child, parent.pid ?? child]) process.kill(pid, 'SIGKILL');
    });
    expect(idOutside(parent.pid ?? 0, child)).toBe(child);
    expect(idOutside(process.pid, child)).toBeUndefined();
  },
);
