import { execFileSync } from 'node:child_process';
import { open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bundledSample, requestOf } from '../support/bundled-sample.js';
import { phasedSource, READ } from '../support/bundled-worker.js';
import { temporaryFolder } from '../support/temp-folder.js';

const LOOKS = phasedSource(`${READ}return ok(value=int(image[0, 0, 0]))`);
const COMPARES = `from procvision_algorithm_sdk import BaseAlgorithm
class Algorithm(BaseAlgorithm):
    def execute(self, step_index, step_desc, cur_image, guide_image, guide_info):
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": []}}
`;
const hasPipes = process.platform !== 'win32';

/** A pipe that nobody writes to; who waits for a writer at the end of the test gets one. */
function pipeAt(file: string): string {
  execFileSync('mkfifo', [file]);
  onTestFinished(async () => {
    const handle = await open(file, 'r+');
    await handle.close();
  });
  return file;
}

test.runIf(hasPipes)('pictures that are pipes are refused at once, and hold up no other call', async () => {
  const { supervisor } = await bundledSample(LOOKS);
  const file = pipeAt(path.join(await temporaryFolder(), 'picture.png'));
  const pipes = Array.from({ length: 8 }, () => requestOf(1, { image: { file } }));
  const results = await supervisor.executeMany([requestOf(1), ...pipes, requestOf(2)]);
  const how = results.map(({ status, error }) => error?.code ?? status);
  expect(how).toEqual(['OK', ...pipes.map(() => 'invalid_image'), 'OK']);
});

test('a call whose Blob never comes ends in its time, and when it is aborted', async () => {
  const { supervisor } = await bundledSample(LOOKS);
  class Late extends Blob {
    override arrayBuffer(): Promise<ArrayBuffer> {
      return new Promise(() => undefined);
    }
  }
  const late = (timeoutMs: number) => requestOf(1, { image: { encoded: new Late(['never']) }, timeoutMs });
  await expect(supervisor.execute(late(200))).rejects.toMatchObject({ code: 'timeout' });
  const given = new AbortController();
  const call = supervisor.execute(late(60_000), { signal: given.signal });
  given.abort();
  await expect(call).rejects.toMatchObject({ code: 'aborted' });
  expect(supervisor.status()[0]).toMatchObject({ queued: 0, inFlight: 0 });
});

test.runIf(hasPipes)('a call whose guide picture cannot be read to its end ends in its time', async () => {
  const { supervisor, registry } = await bundledSample(COMPARES, { generation: 'execute-only' });
  const image = { data: new Uint8Array(48), width: 4, height: 4 };
  await registry.setGuide({ productId: 'A01', stepIndex: 1, image });
  const folder = path.join(registry.layout.root, 'guides');
  const pixels = (await readdir(folder, { recursive: true })).find((name) => name.endsWith('.npy')) ?? '';
  await rm(path.join(folder, pixels));
  pipeAt(path.join(folder, pixels));
  await expect(supervisor.execute(requestOf(1, { timeoutMs: 300 }))).rejects.toMatchObject({
    ...{ code: 'timeout', details: { stage: 'the look for its guide picture' } },
  });
});
