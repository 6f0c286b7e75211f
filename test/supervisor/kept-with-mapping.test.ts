import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { InspectionResult } from '../../src/supervisor/types.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { image, next } from '../support/three-versions.js';

/** Versions 1 and 2 of `sample`, `A` active at 1; what is kept for `A` says for which of them it is. */
async function keptForEach() {
  const { registry, supervisor } = await openSupervised({ worker: 'bundled' });
  for (const version of ['1', '2'])
    await deployVersion(registry, { version, source: steeredAlgorithm(), productIds: ['A'] });
  const params = { echo: 'for 1' };
  await registry.activate({ name: 'sample', version: '1', productIds: ['A'], params });
  const request = { productId: 'A', stepIndex: 1, image, timeoutMs: 30_000 };
  const toTwo = () =>
    supervisor.switch({ name: 'sample', version: '2', productIds: ['A'], params: { echo: 'for 2' } });
  return { registry, supervisor, request, toTwo };
}

/** Which version has answered, and for which its parameters were. */
const seen = ({ version, data, error }: InspectionResult) =>
  error?.message ?? `${version} ${(data as { debug: { echo: string } }).debug.echo}`;

/** A BMP of 4 by 4 pixels that is there when it is let go. */
function lateBitmap() {
  let letGo!: () => void;
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  const bytes = Buffer.alloc(54 + 48, 50).fill(0, 0, 54);
  bytes.write('BM');
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(4, 18);
  bytes.writeInt32LE(4, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  class Late extends Blob {
    override async arrayBuffer(): Promise<ArrayBuffer> {
      await gate;
      return super.arrayBuffer();
    }
  }
  return { letGo, image: { encoded: new Late([bytes]) } };
}

test('pictures of a message that a switch with other parameters overtakes get those of the version that they go to', async () => {
  const { supervisor, request, toTwo } = await keptForEach();
  await supervisor.start('sample', '1');
  const late = lateBitmap();
  const pictures = [image, late.image, image, image].map((one) => ({ ...request, image: one }));
  const results = supervisor.executeMany(pictures);
  await toTwo();
  late.letGo();
  const answers = (await results).map(seen);
  for (const answer of answers) expect(answer).toMatch(/^(1 for 1|2 for 2)$/);
  expect(answers[0]).toBe('1 for 1');
});

test('a call that has waited for the end of a version while a switch brought other parameters gets its own', async () => {
  const { supervisor, request, toTwo } = await keptForEach();
  await supervisor.start('sample', '1');
  const go = path.join(await temporaryFolder(), 'go');
  const begun = next(supervisor, 'state');
  const first = supervisor.execute({ ...request, userParams: { wait_for: go } });
  expect(await begun).toMatchObject({ state: 'executing' });
  const stopped = supervisor.stop('sample', '1');
  const waiting = supervisor.execute(request);
  await toTwo();
  await writeFile(go, '');
  expect(seen(await first)).toBe('1 for 1');
  await stopped;
  expect(seen(await waiting)).toMatch(/^(1 for 1|2 for 2)$/);
  expect(seen(await supervisor.execute(request))).toBe('2 for 2');
});
