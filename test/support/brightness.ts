import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PNG } from 'pngjs';
import type { Registry } from '../../src/registry/registry.js';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { sampleAlgorithm } from '../../src/testing/index.js';

/** A version of `brightness` that calls a picture NG where the mean of its bytes is below a limit, with one box. */
export async function deployBrightness(
  registry: Registry,
  version: string,
  o: { below: number; extra?: string },
): Promise<{ name: string; version: string }> {
  const source = sampleAlgorithm({ generation: 'phased', name: 'brightness', version, productIds: ['B-1'] })
    .replace('if wanted.get("ng"):', `if data["debug"]["mean"] < ${o.below}:`)
    .replace('"x": 0, "y": 0, "width": 1, "height": 1', '"x": 30, "y": 30, "width": 6, "height": 4')
    .replace('    data = {"result_status"', `${o.extra ?? ''}    data = {"result_status"`);
  await deployVersion(registry, { name: 'brightness', version, productIds: ['B-1'], source });
  return { name: 'brightness', version };
}

/** Writes an RGB picture of one value. */
export async function writePicture(file: string, value: number): Promise<void> {
  const png = new PNG({ width: 64, height: 48 });
  png.data = Buffer.alloc(64 * 48 * 3, value);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, PNG.sync.write(png, { colorType: 2, inputColorType: 2, inputHasAlpha: false }));
}

/** Folders OK and NG with a picture for each value, named by its number and value. */
export async function writePictures(folder: string, values: { OK: number[]; NG: number[] }): Promise<void> {
  for (const label of ['OK', 'NG'] as const) {
    for (const [index, value] of values[label].entries()) {
      await writePicture(path.join(folder, label, `${index}-${value}.png`), value);
    }
  }
}
