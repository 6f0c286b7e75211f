/**
 * A host in a worker thread that is terminated, while its worker is `idle` or runs a call without end: prints whether the
 * worker ran before and runs after that, and the folders of frames that are left.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import { TemporaryStore } from '../../src/testing/index.js';
import { steeredAlgorithm } from './steered-algorithm.js';

/** Whether the process runs: a zombie does not, it waits for the process that has started it. */
function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function frames(): string[] {
  return readdirSync('/dev/shm').filter((name) => name.startsWith(`procvision-frames-${process.pid}-`));
}

async function serve(): Promise<void> {
  const store = await TemporaryStore.open();
  await store.deploy({ source: steeredAlgorithm() });
  const supervisor = store.supervise({
    policy: { namespaces: process.argv[2] === 'off' ? 'off' : 'auto', executeTimeoutMs: 600_000 },
  });
  await supervisor.start('sample', '1.0.0');
  const image = { data: new Uint8Array(12), width: 2, height: 2 };
  const target = { name: 'sample', version: '1.0.0' };
  await supervisor.execute({ target, stepIndex: 1, image });
  if (process.argv[3] !== 'idle') {
    void supervisor
      .execute({ target, stepIndex: 1, image, userParams: { sleep_ms: 600_000 }, timeoutMs: 600_000 })
      .catch(() => undefined);
  }
  parentPort?.postMessage(supervisor.status()[0]?.workers[0]?.processId);
}

if (isMainThread) {
  const thread = new Worker(process.argv[1] ?? '', { argv: process.argv.slice(2) });
  const pid = await new Promise<number>((resolve, reject) =>
    thread.once('message', resolve).once('error', reject),
  );
  const before = runs(pid);
  await thread.terminate();
  for (let waits = 0; (runs(pid) || frames().length > 0) && waits < 500; waits++) await sleep(20);
  process.stdout.write(JSON.stringify({ before, after: runs(pid), frames: frames() }));
  process.exit(0);
} else {
  await serve();
}
