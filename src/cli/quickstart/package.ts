import { readFile } from 'node:fs/promises';
import { buildPackage } from 'procvision-runner/testing';
import { assetPath } from '../assets.js';
import { encodePpm, type Picture } from '../picture/picture.js';

/** The quickstart's algorithm, packed for delivery: source, reference picture, manifest, requirements and wheels. */
export async function packBoardCheck(reference: Picture): Promise<Uint8Array> {
  const source = async (file: string): Promise<[string, string]> => [
    `algorithm/${file}`,
    await readFile(assetPath(`quickstart/algorithm/${file}`), 'utf8'),
  ];
  return buildPackage({
    name: 'board-check',
    version: '1.0.0',
    productIds: ['BOARD-7'],
    files: {
      ...Object.fromEntries(
        await Promise.all(['__init__.py', 'main.py', 'boxes.py', 'reference.py'].map(source)),
      ),
      'assets/reference.ppm': encodePpm(reference),
    },
  });
}
