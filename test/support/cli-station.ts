import { cp } from 'node:fs/promises';
import path from 'node:path';
import { Registry } from '../../src/index.js';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { temporaryFolder } from '../../src/testing/temporary-folder.js';
import { cliFolder, type CliFolder } from './cli.js';
import { atEndOfFile } from './end-of-file.js';

/** A store of two versions that run without an environment, the older of them active for A01; gone when the file is over. */
async function makeStore(): Promise<string> {
  const folder = await temporaryFolder();
  atEndOfFile.push(async () => {
    made = undefined;
    await folder[Symbol.asyncDispose]();
  });
  const registry = await Registry.open(path.join(folder.path, 'station'), { durability: 'none' });
  for (const version of ['1.0.0', '1.1.0']) {
    await deployVersion(registry, { name: 'board-check', version, productIds: ['A01', 'A02'] });
  }
  await registry.activate({ name: 'board-check', version: '1.0.0', productIds: ['A01'] });
  await registry.close();
  return registry.layout.root;
}

let made: Promise<string> | undefined;

/** A folder with that store: a copy, for its Pythons are slow to ask. */
export async function cliStation(): Promise<CliFolder> {
  const cli = await cliFolder();
  const copy = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true };
  await cp(await (made ??= makeStore()), path.join(cli.folder, 'station'), copy);
  return cli;
}
