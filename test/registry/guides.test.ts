import { existsSync } from 'node:fs';
import { open, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PNG } from 'pngjs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FramePool, Registry } from '../../src/index.js';
import { temporaryFolder } from '../support/temp-folder.js';

const size = { width: 4, height: 2 };
const pixels = (value: number) => new Uint8Array(4 * 2 * 3).fill(value);

async function openRegistry(root?: string): Promise<Registry> {
  const registry = await Registry.open(root ?? (await temporaryFolder()), { durability: 'none' });
  onTestFinished(() => registry.close());
  return registry;
}

const place = { productId: 'A01', stepIndex: 1 };

describe('a guide picture', () => {
  test('is kept in the store, for its product id and step alone', async () => {
    const registry = await openRegistry();
    const info = [{ label: 'screw', posList: [{ x: 1, y: 0, width: 2, height: 2 }] }];
    const data = pixels(7);
    await registry.setGuide({ ...place, image: { data, ...size, colorSpace: 'BGR' }, info, operator: 'ada' });
    data.fill(0);
    const again = await openRegistry(registry.layout.root);
    expect(await again.guide('A01', 1)).toEqual({
      ...place,
      image: { data: Buffer.from(pixels(7)), ...size, channels: 3, colorSpace: 'BGR' },
      info,
      operator: 'ada',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      setAt: expect.any(String) as string,
    });
    expect(await again.guide('A01', 2)).toBeUndefined();
    expect(await again.guide('A02', 1)).toBeUndefined();
  });

  test('replaces the one before, whose pixels go', async () => {
    const registry = await openRegistry();
    for (const value of [1, 2, 3])
      await registry.setGuide({ ...place, image: { data: pixels(value), ...size } });
    await registry.setGuide({ ...place, stepIndex: 0, image: { data: pixels(9), ...size } });
    expect((await registry.guide('A01', 1))?.image.data[0]).toBe(3);
    expect((await registry.guide('A01', 0))?.image.data[0]).toBe(9);
    expect(await readdir(path.join(registry.layout.guides, 'A01'))).toHaveLength(4);
  });

  test('may be a PNG or a frame, and is kept as pixels', async () => {
    const registry = await openRegistry();
    const png = new PNG({ ...size });
    png.data = Buffer.alloc(4 * 2 * 4, Buffer.from([1, 2, 3, 255]));
    const encoded = PNG.sync.write(png, { colorType: 2 });
    await registry.setGuide({ ...place, image: { encoded, ...size } });
    expect([...((await registry.guide('A01', 1))?.image.data.subarray(0, 3) ?? [])]).toEqual([1, 2, 3]);
    await using pool = new FramePool({ directory: await temporaryFolder() });
    const frame = await pool.lease({ ...size, channels: 1 });
    frame.pixels.fill(5);
    await registry.setGuide({ ...place, image: frame });
    frame.release();
    expect((await registry.guide('A01', 1))?.image).toMatchObject({ channels: 1, data: Buffer.alloc(8, 5) });
  });

  test('is in the audit log when it is set and removed', async () => {
    const registry = await openRegistry();
    await registry.setGuide({ ...place, image: { data: pixels(1), ...size }, operator: 'ada' });
    await registry.removeGuide({ ...place, operator: 'eve' });
    expect(await registry.guide('A01', 1)).toBeUndefined();
    await expect(registry.removeGuide(place)).rejects.toMatchObject({ code: 'not_found' });
    const log = await readFile(path.join(registry.layout.logs, 'package_activate.log'), 'utf8');
    expect(
      log
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
    ).toMatchObject([
      { operation: 'set guide', pids: ['A01'], step_index: 1, operator: 'ada', outcome: 'ok' },
      { operation: 'remove guide', pids: ['A01'], step_index: 1, operator: 'eve', outcome: 'ok' },
      { operation: 'remove guide', outcome: 'failed', code: 'not_found' },
    ]);
  });

  test('whose pixels were changed on disk is an error, not a guide', async () => {
    const registry = await openRegistry();
    await registry.setGuide({ ...place, image: { data: pixels(1), ...size } });
    const folder = path.join(registry.layout.guides, 'A01');
    const file = (await readdir(folder)).find((name) => name.endsWith('.npy')) ?? '';
    const bytes = await readFile(path.join(folder, file));
    await writeFile(path.join(folder, file), bytes.fill(2, bytes.length - 1));
    await expect(registry.guide('A01', 1)).rejects.toMatchObject({
      code: 'store_damaged',
      message: /guide picture of A01, step 1.*SHA-256.*setGuide/s,
    });
  });

  test('that is set once more leaves the pixels that are registered as they are until the new ones are whole', async () => {
    const registry = await openRegistry();
    const image = { data: pixels(1), ...size };
    await registry.setGuide({ ...place, image });
    const folder = path.join(registry.layout.guides, 'A01');
    const file = (await readdir(folder)).find((name) => name.endsWith('.npy')) ?? '';
    const handle = await open(path.join(folder, file), 'r');
    const before = await handle.stat();
    await registry.setGuide({ ...place, image, info: [{ label: 'screw', posList: [] }] });
    const after = await handle.stat();
    expect(after.mtimeMs).toBe(before.mtimeMs); // not written in place, where a full disk or a kill would leave half of them
    await handle.close(); // Windows keeps the name of a file that is open
    expect(await registry.guide('A01', 1)).toMatchObject({ info: [{ label: 'screw' }] });
    const names = await readdir(folder);
    expect(names).toHaveLength(2);
    expect(names).not.toContain(file);
  });

  test.each([
    ['is cut off', '{"product_id": "A01", "fi'],
    ['is empty', ''],
    ['names no pixels', '{"product_id": "A01"}'],
    ['is no object', 'null'],
  ])('whose description %s is an error that names file and remedy, and can be set anew', async (_, text) => {
    const registry = await openRegistry();
    await registry.setGuide({ ...place, image: { data: pixels(1), ...size } });
    await writeFile(path.join(registry.layout.guides, 'A01', '1.json'), text);
    await expect(registry.guide('A01', 1)).rejects.toMatchObject({
      code: 'store_damaged',
      message: /guide picture of A01, step 1.*1\.json.*setGuide/s,
    });
    await registry.setGuide({ ...place, image: { data: pixels(2), ...size } });
    expect((await registry.guide('A01', 1))?.image.data[0]).toBe(2);
  });

  test('is not taken for that of an id that differs in case alone, where the file system has one folder for both', async () => {
    const registry = await openRegistry();
    const image = { data: pixels(1), ...size };
    await registry.setGuide({ ...place, image });
    const folded = path.join(registry.layout.guides, 'a01');
    if (!existsSync(folded)) await symlink('A01', folded); // as a file system that folds case shows it
    const other = { productId: 'a01', stepIndex: 1 };
    expect(await registry.guide('a01', 1)).toBeUndefined();
    for (const stepIndex of [1, 2])
      await expect(
        registry.setGuide({ ...other, stepIndex, image: { data: pixels(2), ...size } }),
      ).rejects.toMatchObject({
        code: 'invalid_params',
        message: /"a01".*"A01".*guideImage/s,
        details: { path: 'productId' },
      });
    await expect(registry.removeGuide(other)).rejects.toMatchObject({ code: 'not_found' });
    expect((await registry.guide('A01', 1))?.image.data[0]).toBe(1);
    await registry.removeGuide(place);
    await registry.setGuide({ ...other, image: { data: pixels(2), ...size } });
    expect((await registry.guide('a01', 1))?.image.data[0]).toBe(2);
  });

  test.each([
    ['productId', { ...place, productId: '' }],
    ['stepIndex', { ...place, stepIndex: -1 }],
    ['stepIndex', { ...place, stepIndex: 1.5 }],
    ['info', { ...place, info: [{ posList: [{ x: 1 }] }] }],
  ])('with a %s that cannot be is refused', async (field, wrong) => {
    const registry = await openRegistry();
    const source = { image: { data: pixels(1), ...size }, ...wrong } as Parameters<Registry['setGuide']>[0];
    await expect(registry.setGuide(source)).rejects.toMatchObject({
      code: 'invalid_params',
      details: { path: field },
    });
  });

  test('that is no picture is refused, and nothing is kept', async () => {
    const registry = await openRegistry();
    const image = { data: pixels(1).subarray(1), ...size };
    await expect(registry.setGuide({ ...place, image })).rejects.toMatchObject({ code: 'invalid_image' });
    expect(await registry.guide('A01', 1)).toBeUndefined();
  });

  test('of a product id that cannot be a file name is found again', async () => {
    const registry = await openRegistry();
    const productId = '../板/CON';
    await registry.setGuide({ productId, stepIndex: 1, image: { data: pixels(4), ...size } });
    expect((await registry.guide(productId, 1))?.productId).toBe(productId);
    expect(await readdir(registry.layout.root)).toContain('guides');
  });
});
