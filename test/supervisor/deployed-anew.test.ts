import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { Registry } from '../../src/registry/registry.js';
import { removeTree } from '../../src/store/remove-tree.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { IS_WINDOWS } from '../support/platform.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { image, next, otherRegistry, reached } from '../support/three-versions.js';

const ID = { name: 'sample', version: '1.0.0' };

/** An algorithm whose answers say which code gave them. */
const coded = (code: string) =>
  steeredAlgorithm().replace('"session": session.id', `"session": session.id, "code": "${code}"`);

async function deploy(registry: Registry, code: string) {
  await deployVersion(registry, { ...ID, source: coded(code), productIds: ['A'] });
  await registry.activate({ ...ID, productIds: ['A'] });
}

/** What `uninstall(…, { force: true })` and an install of a corrected package of the same version do. */
async function replace(registry: Registry, code: string) {
  await registry.unregister(ID.name, ID.version, { force: true });
  await removeTree(registry.layout.deployed(ID.name, ID.version));
  await deploy(registry, code);
}

async function running() {
  const { registry, supervisor } = await openSupervised();
  await deploy(registry, 'old');
  const ask = async (userParams = {}) => {
    const { data } = await supervisor.execute({ productId: 'A', stepIndex: 1, image, userParams });
    return (data.debug as { code: string }).code;
  };
  expect(await ask()).toBe('old');
  return { registry, supervisor, ask };
}

test('a running version that is uninstalled by force and deployed anew is answered by the new code', async () => {
  const { registry, supervisor, ask } = await running();
  const stopped = reached(supervisor, ID.version, 'stopped');
  await replace(registry, 'new');
  expect(await ask()).toBe('new');
  await stopped;
  expect(supervisor.status()).toHaveLength(1);
});

test.skipIf(IS_WINDOWS)(
  'what another process deploys anew answers the very next call, and a call that runs is finished first',
  async () => {
    const { registry, supervisor, ask } = await running();
    const file = path.join(await temporaryFolder(), 'go');
    const begun = next(supervisor, 'state');
    const before = ask({ wait_for: file });
    expect(await begun).toMatchObject({ state: 'executing' });
    await replace(await otherRegistry(registry), 'new');
    const after = ask();
    await writeFile(file, '');
    expect(await before).toBe('old');
    expect(await after).toBe('new');
  },
);

test.runIf(IS_WINDOWS)(
  'on Windows another process can deploy anew when a call has found the version gone: its worker, which works in the folder, ends then',
  async () => {
    const { registry, ask } = await running();
    const replaced = replace(await otherRegistry(registry), 'new');
    const codeOf = () => ask().catch((error: unknown) => (error as { code: string }).code);
    await expect.poll(codeOf).toBe('not_found');
    await replaced;
    expect(await ask()).toBe('new');
  },
);

test('a version that is uninstalled by force answers no call by its name, and its workers end', async () => {
  const { registry, supervisor } = await running();
  const stopped = reached(supervisor, ID.version, 'stopped');
  await registry.unregister(ID.name, ID.version, { force: true });
  await stopped;
  expect(supervisor.status()).toEqual([]);
  const call = supervisor.execute({ target: ID, stepIndex: 1, image });
  await expect(call).rejects.toMatchObject({ code: 'not_found' });
});
