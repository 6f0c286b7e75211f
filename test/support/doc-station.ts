/**
 * What the snippets of the README and the guides find already there: a station in the working directory with two
 * versions of a package delivered, everything composed over it, and a picture.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import {
  AlgorithmSupervisor,
  Deployer,
  FramePool,
  PackageValidator,
  Registry,
  VenvManager,
  type ImageInput,
} from '../../src/index.js';
import { buildPackage } from '../../src/testing/index.js';
import { writePicture } from './brightness.js';

export const venvs = new VenvManager();
export const validator = new PackageValidator({ venvs });
export const registry = await Registry.open('station');
export const deployer = new Deployer({ registry, venvs, validator });
export const frames = new FramePool();
export const supervisor = new AlgorithmSupervisor({ registry, frames });

const width = 64;
const height = 48;
export const image = {
  data: new Uint8Array(width * height * 3).fill(90),
  width,
  height,
} satisfies ImageInput;

await mkdir(registry.layout.zips, { recursive: true });
for (const version of ['1.0.0', '1.1.0', '1.2.0']) {
  const bytes = await buildPackage({ name: 'board-check', version, productIds: ['BOARD-7', 'BOARD-8'] });
  await writeFile(`board-check-v${version}-offline.zip`, bytes);
}

// What `acceptance()` and `accept` take: this algorithm calls every picture OK.
await writePicture('pictures/OK/board.png', 90);

/** Of the backend that mounts the HTTP handler. */
export const isAllowed = (request: Request, action: string): boolean =>
  request.headers.has('authorization') || action === 'list';

export async function closeStation(): Promise<void> {
  await supervisor.close();
  await frames.close();
  await deployer.close();
  await registry.close();
}
