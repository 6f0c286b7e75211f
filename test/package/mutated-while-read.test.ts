import { closeSync, createReadStream, existsSync, openSync, readdirSync, writeSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { packageSteps } from '../../src/deploy/package-steps.js';
import { PackageValidator, StoreLayout, VenvManager } from '../../src/index.js';
import { generateSigningKeys, signPackage } from '../../src/signing/index.js';
import type { IntegrityPolicy } from '../../src/index.js';
import { buildPackage, TemporaryStore } from '../../src/testing/index.js';
import { folderState } from '../support/folder-state.js';
import { mutations, whileMutating, type Mutation } from '../support/mutating-file.js';
import { temporaryFolder } from '../support/temp-folder.js';

const RUNS = Number(process.env.MUTATIONS ?? 80);

const files = (text: string) => ({
  'algorithm/__init__.py': '',
  'algorithm/main.py': `# ${text}\n`,
  'algorithm/large.py': `# ${text.repeat(20_000)}\n`,
  'algorithm/zeros.py': `# ${'0'.repeat(500_000)}\n`,
});

/** The same names and sizes, other bytes; one half of the entries is stored and lies open to a change in place. */
const packed = (text: string) => buildPackage({ stored: true, files: files(text) });

let signed: Buffer;
let other: Buffer;
let publicKey: string;
let venvs: VenvManager;

beforeAll(async () => {
  const keys = generateSigningKeys();
  ({ publicKey } = keys);
  const file = path.join(await mkdtemp(path.join(os.tmpdir(), 'signed-')), 'p.zip');
  await writeFile(file, await packed('signed'));
  await signPackage(file, { privateKey: keys.privateKey });
  signed = await readFile(file);
  await rm(path.dirname(file), { recursive: true });
  other = Buffer.from(await packed('others'));
  venvs = new VenvManager();
});

/** What an install does with a package before anything of it is used: looks into it, and unpacks it. */
async function unpack(zip: string, target: string, integrity: IntegrityPolicy): Promise<void> {
  const steps = packageSteps(new StoreLayout(path.dirname(zip)), {
    venvs,
    shared: undefined,
    validator: new PackageValidator({ venvs, integrity }),
  });
  await using opened = await steps.open(zip, {});
  await opened.unpack(target, { onProgress: () => undefined });
}

async function tryOne(folder: string, mutation: Mutation | undefined, integrity: IntegrityPolicy) {
  const zip = path.join(folder, 'p.zip');
  const target = path.join(folder, 'target');
  await rm(target, { recursive: true, force: true });
  await writeFile(zip, signed);
  // A whole second, which can be set back exactly.
  await utimes(zip, 1_700_000_000, 1_700_000_000);
  let code: string | undefined;
  const reads = await whileMutating(zip, other, mutation, async () => {
    await unpack(zip, target, integrity).catch((error: unknown) => (code = (error as { code: string }).code));
  });
  return { code, reads, target };
}

test(
  `${RUNS} changes between two reads of a signed package: none is unpacked with a byte that was not signed`,
  { timeout: 3_600_000 },
  async () => {
    const folder = await temporaryFolder();
    const integrity: IntegrityPolicy = { mode: 'strict', publicKeys: [publicKey] };
    const untouched = await tryOne(folder, undefined, integrity);
    expect(untouched.code).toBeUndefined();
    const expected = await folderState(untouched.target);
    const outcomes = { refused: 0, unpacked: 0 };
    await fc.assert(
      fc.asyncProperty(mutations(untouched.reads), async (mutation) => {
        const { code, target } = await tryOne(folder, mutation, integrity);
        if (code === undefined) {
          outcomes.unpacked++;
          expect(await folderState(target)).toEqual(expected);
        } else {
          outcomes.refused++;
          expect(code).toBe('invalid_zip');
          expect(existsSync(target)).toBe(false);
        }
      }),
      { numRuns: RUNS },
    );
    // Both happen, or the changes would not have been where they matter.
    expect(outcomes.refused).toBeGreaterThan(RUNS / 10);
    expect(outcomes.unpacked).toBeGreaterThan(RUNS / 100);
  },
);

test('without a signature, a stored file that another reading gives otherwise is refused, its CRC-32 and time kept', async () => {
  const folder = await temporaryFolder();
  const integrity: IntegrityPolicy = { mode: 'off' };
  const { reads } = await tryOne(folder, undefined, integrity);
  const place = signed.indexOf('0'.repeat(1000)) / signed.length + 0.1;
  const codes = new Set<string | undefined>();
  for (let afterReads = 0; afterReads < reads; afterReads++) {
    const { code, target } = await tryOne(
      folder,
      { kind: 'same-crc', afterReads, place, hidesTime: true },
      integrity,
    );
    codes.add(code);
    if (code !== undefined) expect(existsSync(target)).toBe(false);
  }
  expect([...codes].sort()).toEqual(['invalid_zip', undefined]);
});

describe('an install of a package that changes when it is unpacked', () => {
  test.each(['path', 'stream'])('by %s is invalid_zip, and nothing is left', async (how) => {
    const store = await TemporaryStore.open();
    onTestFinished(() => store.close());
    const { registry } = store;
    const integrity: IntegrityPolicy = { mode: 'strict', publicKeys: [publicKey] };
    const deployer = store.deployer({ venvs, validator: new PackageValidator({ venvs, integrity }) });
    const zip = path.join(await temporaryFolder(), 'p.zip');
    await writeFile(zip, signed);
    deployer.on('stage', ({ stage }) => {
      if (stage !== 'unpack') return;
      const [folder = ''] = how === 'stream' ? readdirSync(registry.layout.staging) : [];
      const read = how === 'stream' ? path.join(registry.layout.staging, folder, 'upload.zip') : zip;
      const at = signed.indexOf('signed'.repeat(100));
      const fd = openSync(read, 'r+');
      writeSync(fd, 'others', at);
      closeSync(fd);
    });
    const source = how === 'stream' ? createReadStream(zip) : zip;
    await expect(deployer.install(source)).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringMatching(/large\.py.*(damaged|changed while it was read)/) as string,
    });
    expect(await registry.list()).toEqual([]);
    expect(await readdir(registry.layout.staging).catch(() => [])).toEqual([]);
    expect(await readdir(registry.layout.zips).catch(() => [])).toEqual([]);
  });
});
