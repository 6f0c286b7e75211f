import { describe, expect, onTestFinished, test } from 'vitest';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import { ForkServer } from '../../src/worker/fork-server.js';
import { resolveLimits } from '../../src/worker/limits.js';
import { algorithmFolder } from '../support/algorithm-folder.js';
import { phasedSource } from '../support/bundled-worker.js';
import { pythonsAtHand } from '../support/pythons.js';

const limits = resolveLimits({});

/** A thread of the system that Python does not know of, as numeric libraries start them; and warnings are errors. */
const THREAD_AND_ERRORS = `import os, warnings
from ctypes import CDLL, byref, c_ulong, c_void_p, cast
libc = CDLL(None)
libc.pthread_create(byref(c_ulong()), None, cast(libc.pause, c_void_p), None)
THREADS = len(os.listdir("/proc/self/task"))
warnings.simplefilter("error")
`;
const TELL_WARNINGS =
  'return ok(threads=THREADS, first=[str(part) for part in warnings.filters[0]], count=len(warnings.filters))';

describe.runIf(process.platform === 'linux')('on Linux', () => {
  test('after an import that leaves a native thread and makes errors of warnings, workers are forked on every Python at hand, quietly, with the warnings of cold ones', async () => {
    for (const python of await pythonsAtHand()) {
      const folder = await algorithmFolder(phasedSource(TELL_WARNINGS, THREAD_AND_ERRORS), { python });
      const spec = { ...folder, flavour: 'bundled' as const };
      const said: string[] = [];
      const answerOf = async (server?: ForkServer) => {
        const worker = new AlgorithmWorker(spec, limits, undefined, server);
        worker.on('log', ({ message }) => said.push(message));
        try {
          await worker.start();
          return (await worker.call({ phase: 'execute' })).data.debug;
        } finally {
          await worker.stop();
        }
      };
      const cold = await answerOf();
      const server = await ForkServer.start(spec, limits);
      onTestFinished(() => server.stop());
      expect(server.unfit, python).toBeUndefined();
      expect(cold, python).toMatchObject({ threads: 2 });
      for (let fork = 0; fork < 2; fork++) expect(await answerOf(server), python).toEqual(cold);
      expect(said, python).toEqual([]);
      await server.stop();
    }
  });
});
