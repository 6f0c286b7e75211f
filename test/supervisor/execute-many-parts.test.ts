import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bundledSample, requestOf as request } from '../support/bundled-sample.js';
import { temporaryFolder } from '../support/temp-folder.js';

const ONE_BY_ONE = `import os, time
from procvision_algorithm_sdk import BaseAlgorithm, FatalError, read_image_from_shared_memory

def look(value, **seen):
    if value == 66:
        os._exit(3)
    if value == 88:
        raise FatalError("eighty-eight")
    while value == 99 and not os.path.exists(os.environ["GO"]):
        time.sleep(0.002)
    return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [], "debug": dict(seen, value=value)}}

class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, *args):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        return look(int(read_image_from_shared_memory(shared_mem_id, image_meta)[0, 0, 0]), worker=os.getpid())
`;
const TOGETHER = `${ONE_BY_ONE}
    def execute_batch(self, items):
        values = [int(read_image_from_shared_memory(item["shared_mem_id"], item["image_meta"])[0, 0, 0]) for item in items]
        return [dict(look(value, together=len(items)), item=item["item"]) for value, item in zip(values, items)]
`;

/** A picture whose bytes come when they may, and are no picture. */
function latePicture() {
  let comes!: () => void;
  const mayCome = new Promise<void>((resolve) => (comes = resolve));
  class Late extends Blob {
    override async arrayBuffer(): Promise<ArrayBuffer> {
      await mayCome;
      return super.arrayBuffer();
    }
  }
  onTestFinished(() => {
    comes();
  });
  return { image: { encoded: new Late(['none']) }, comes };
}

async function open(source: string, policy: object = {}) {
  const go = path.join(await temporaryFolder(), 'go');
  const { supervisor } = await bundledSample(source, { policy: { env: { GO: go }, ...policy } });
  const answered: unknown[] = [];
  supervisor.on('result', ({ result }) => {
    answered.push((result.data.debug as { value: number } | undefined)?.value);
  });
  const nothingLeft = () =>
    expect.poll(() => supervisor.status()[0]).toMatchObject({ queued: 0, inFlight: 0 });
  return { supervisor, answered, nothingLeft, letGo: () => writeFile(go, '') };
}
const valuesOf = (results: { data: object }[]) =>
  results.map(({ data }) => (data as { debug?: { value?: number } }).debug?.value);

test('the first pictures are answered while a later one is still to be written, and another call gets the worker', async () => {
  const { supervisor, answered, nothingLeft } = await open(ONE_BY_ONE);
  const { image, comes } = latePicture();
  const many = supervisor.executeMany([request(1), request(2), request(3, { image }), request(4)]);
  await expect.poll(() => answered).toEqual([1, 2]);
  expect((await supervisor.execute(request(7))).status).toBe('OK');
  comes();
  const results = await many;
  expect(valuesOf(results)).toEqual([1, 2, undefined, 4]);
  expect(results[2]?.error?.code).toBe('invalid_image');
  await nothingLeft();
});

test('a class with execute_batch gets in one call what has come when a picture is late', async () => {
  const { supervisor, answered, nothingLeft } = await open(TOGETHER);
  const { image, comes } = latePicture();
  const many = supervisor.executeMany([
    request(1),
    request(2),
    request(3, { image }),
    request(4),
    request(5),
  ]);
  await expect.poll(() => answered).toEqual([1, 2]);
  comes();
  const results = await many;
  expect(valuesOf(results)).toEqual([1, 2, undefined, 4, 5]);
  const together = results.map(({ data }) => (data.debug as { together?: number } | undefined)?.together);
  expect(together).toEqual([2, 2, undefined, 2, 2]);
  await nothingLeft();
});

test.each([
  ['one by one', ONE_BY_ONE],
  ['at once', TOGETHER],
])(
  'a last picture whose message is too large fails alone, with those before it taken %s',
  async (_, source) => {
    const { supervisor, nothingLeft } = await open(source, { limits: { maxFrameBytes: 4_000 } });
    const large = { userParams: { text: 'x'.repeat(5_000) } };
    const results = await supervisor.executeMany([request(1), request(2), request(3), request(4, large)]);
    expect(valuesOf(results)).toEqual([1, 2, 3, undefined]);
    expect(results[3]?.error?.code).toBe('invalid_params');
    await nothingLeft();
    expect((await supervisor.execute(request(5))).status).toBe('OK');
  },
);

test.each([
  ['one by one', ONE_BY_ONE],
  ['at once', TOGETHER],
])(
  'a picture in the middle whose message is too large fails alone, with the others taken %s',
  async (_, source) => {
    const { supervisor, nothingLeft } = await open(source, { limits: { maxFrameBytes: 4_000 } });
    const large = { userParams: { text: 'x'.repeat(5_000) } };
    const results = await supervisor.executeMany([request(1), request(2, large), request(3), request(4)]);
    expect(valuesOf(results)).toEqual([1, undefined, 3, 4]);
    await nothingLeft();
  },
);

test('a worker that dies at the first picture while the others are written loses none of the others', async () => {
  const { supervisor, nothingLeft } = await open(ONE_BY_ONE, { retries: 1, maxCrashes: 50, maxRestarts: 50 });
  const { image, comes } = latePicture();
  const many = supervisor.executeMany([
    request(66),
    request(2),
    request(3, { image }),
    request(4),
    request(5),
  ]);
  setTimeout(comes, 300);
  const results = await many;
  expect(valuesOf(results)).toEqual([undefined, 2, undefined, 4, 5]);
  expect(results[0]?.error?.code).toBe('worker_exited');
  await nothingLeft();
});

test('a fatal exception at the first picture sends the others to another process', async () => {
  const { supervisor, nothingLeft } = await open(ONE_BY_ONE, { maxCrashes: 50, maxRestarts: 50 });
  const { processId } = supervisor.status()[0]?.workers[0] ?? {};
  const results = await supervisor.executeMany([88, 2, 3, 4, 5].map((value) => request(value)));
  expect(valuesOf(results)).toEqual([undefined, 2, 3, 4, 5]);
  const workers = results.slice(1).map(({ data }) => (data.debug as { worker: number }).worker);
  expect(workers).not.toContain(processId);
  await nothingLeft();
});

test.each(['abort', 'stop'] as const)(
  '%s while the worker has a part and a picture is late leaves nothing behind',
  async (how) => {
    const { supervisor, nothingLeft, letGo } = await open(ONE_BY_ONE);
    const { image, comes } = latePicture();
    const controller = new AbortController();
    const all = [request(99), request(2), request(3, { image })].map(({ timeoutMs: _, ...one }) => one);
    const ended = supervisor
      .executeMany(all, { signal: controller.signal })
      .catch((error: unknown) => error as Error);
    await expect.poll(() => supervisor.status()[0]?.inFlight).toBe(1);
    if (how === 'abort') controller.abort();
    const stopped = how === 'stop' ? supervisor.stop('sample', '1.0.0') : undefined;
    comes();
    await letGo();
    await stopped;
    const results = await ended;
    if (how === 'abort') {
      expect(results).toMatchObject({ name: 'AbortError' });
      await nothingLeft();
    } else {
      expect((results as { error?: { code: string } }[])[2]?.error?.code).toBe('invalid_image');
      expect(valuesOf(results as never).filter((value) => ![99, 2, undefined].includes(value))).toEqual([]);
    }
  },
);

test('what a worker logs of a picture does not name another picture of its message', async () => {
  const telling = ONE_BY_ONE.replace(
    'def look(value, **seen):\n',
    'def look(value, **seen):\n    sys.stderr.write("look at %d\\n" % value)\n    sys.stderr.flush()\n',
  ).replace('import os, time', 'import os, sys, time');
  const { supervisor } = await open(telling);
  const logged: [string, string | undefined, string | undefined][] = [];
  supervisor.on('log', ({ message, requestId, productId }) => {
    if (message.startsWith('look at')) logged.push([message, requestId, productId]);
  });
  const results = await supervisor.executeMany([1, 2, 3, 4].map((value) => request(value)));
  await expect.poll(() => logged).toHaveLength(4);
  for (const [n, [message, id, productId]] of logged.entries()) {
    expect([message, productId]).toEqual([`look at ${n + 1}`, 'A01']);
    expect([undefined, results[n]?.requestId]).toContain(id); // its own where it went alone
  }
  const { requestId } = await supervisor.execute(request(5));
  await expect.poll(() => logged[4]).toEqual(['look at 5', requestId, 'A01']);
  expect(valuesOf(results)).toEqual([1, 2, 3, 4]);
});
