import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { PackageValidator, VenvManager, type AlgorithmSupervisor } from '../../src/index.js';
import type { IntegrityPolicy } from '../../src/index.js';
import {
  checkKeySet,
  createKeySet,
  generateSigningKeys,
  readKeySet,
  rootOf,
  rotateKeySet,
  signKeySet,
  signPackage,
  writeKeySet,
  type KeySet,
  type KeySetContent,
} from '../../src/signing/index.js';
import { buildPackage, TemporaryStore } from '../../src/testing/index.js';
import { temporaryFolder } from '../support/temp-folder.js';

const [ann, ben, cid, dan, maker, other] = Array.from({ length: 6 }, generateSigningKeys) as [
  Keys,
  Keys,
  Keys,
  Keys,
  Keys,
  Keys,
];
type Keys = ReturnType<typeof generateSigningKeys>;

const DAY_MS = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);
const holders = (threshold: number, ...of: Keys[]) => ({
  keys: of.map(({ publicKey }) => publicKey),
  threshold,
});
const secret = (...of: Keys[]) => ({ privateKeys: of.map(({ privateKey }) => privateKey) });

const CONTENT: KeySetContent = {
  root: holders(2, ann, ben, cid),
  rootExpires: inDays(3650),
  signers: [{ name: 'maker', keys: [maker.publicKey] }],
  expires: inDays(365),
};

const made = (changes: Partial<KeySetContent> = {}, ...by: Keys[]) =>
  createKeySet({ ...CONTENT, ...changes }, secret(...(by.length > 0 ? by : [ann, ben])));

const set = await made();

const copyOf = (set: KeySet, change: (copy: KeySet) => void): KeySet => {
  const copy = structuredClone(set);
  change(copy);
  return copy;
};

const untrusted = (message: RegExp) => ({
  code: 'untrusted_keys',
  message: expect.stringMatching(message) as string,
});

describe('a key set', () => {
  test('that enough holders signed says who signs which packages, from which version on, until when', async () => {
    const set = await made({
      signers: [
        { name: 'maker', keys: [maker.publicKey], packages: ['board-*'] },
        { name: 'other', keys: [other.publicKey, dan.publicKey] },
      ],
      lowestVersions: { 'board-check': '1.2.0' },
    });
    expect(await checkKeySet(set)).toEqual({
      rootVersion: 1,
      rootExpires: expect.stringMatching(/^20\d\d-.*Z$/) as string,
      version: 1,
      expires: expect.stringMatching(/^20\d\d-.*Z$/) as string,
      signers: [
        { name: 'maker', keyIds: [maker.keyId], packages: ['board-*'] },
        { name: 'other', keyIds: [other.keyId, dan.keyId], packages: ['*'] },
      ],
      lowestVersions: { 'board-check': '1.2.0' },
    });
  });

  test('that one of two holders signed is refused, and taken once the second has signed', async () => {
    const half = await made({}, ann);
    await expect(checkKeySet(half)).rejects.toMatchObject(
      untrusted(
        new RegExp(
          `signatures on the list of signers: 2 are needed of ${ann.keyId}, ${ben.keyId}.*signKeySet`,
        ),
      ),
    );
    expect(await checkKeySet(await signKeySet(half, secret(cid)))).toMatchObject({ version: 1 });
    // Signing twice counts once.
    await expect(checkKeySet(await signKeySet(half, secret(ann)))).rejects.toMatchObject(
      untrusted(/2 are needed/),
    );
  });

  test('is signed by nobody who has no part in it', async () => {
    await expect(signKeySet(await made(), secret(dan))).rejects.toMatchObject({ code: 'invalid_params' });
  });

  test('that is expired says who must do what', async () => {
    const expired = await made({ expires: inDays(-1) });
    await expect(checkKeySet(expired, { file: '/keys.json' })).rejects.toMatchObject(
      untrusted(
        new RegExp(
          `/keys.json expired on .*no package is installed.*renewed by 2 of the holders of the keys ${ann.keyId}, .*rotateKeySet.*copied here.*goes on running`,
        ),
      ),
    );
    expect(await checkKeySet(expired, { now: inDays(-2) })).toMatchObject({ version: 1 });
    const oldRoot = await made({ rootExpires: inDays(-1) });
    await expect(checkKeySet(oldRoot)).rejects.toMatchObject(untrusted(/root keys of it must be renewed/));
  });

  test('goes on from root to root: those before and those after sign', async () => {
    const first = await made();
    const root = rootOf(first);
    const changes = { root: holders(2, cid, dan), rootExpires: inDays(3650) };
    const second = await rotateKeySet(first, changes, secret(ann, dan));
    await expect(checkKeySet(second, { root })).rejects.toMatchObject(
      untrusted(/enough signatures on root 2/),
    );
    const whole = await signKeySet(second, secret(cid));
    expect(await checkKeySet(whole, { root })).toMatchObject({ rootVersion: 2, version: 2 });
    // Without a change of the root, a station that knows it needs no more than the list.
    const third = await rotateKeySet(whole, { lowestVersions: { a: '2' } }, secret(cid, dan));
    expect(await checkKeySet(third, { root })).toMatchObject({
      rootVersion: 2,
      version: 3,
      lowestVersions: { a: '2' },
    });
    expect(await checkKeySet(third, { root: rootOf(whole) })).toMatchObject({ version: 3 });
    // Those who are out are out.
    await expect(checkKeySet(await rotateKeySet(whole, {}, secret(cid)), { root })).rejects.toMatchObject(
      untrusted(/2 are needed/),
    );
    await expect(
      checkKeySet(await rotateKeySet(whole, {}, secret(ben, dan)), { root }),
    ).rejects.toMatchObject(untrusted(/2 are needed/));
  });

  test('of another root is refused', async () => {
    const foreign = await made({ root: holders(1, dan) }, dan);
    await expect(checkKeySet(foreign, { root: rootOf(await made()) })).rejects.toMatchObject(
      untrusted(/2 are needed/),
    );
  });

  test.each<[what: string, change: (copy: KeySet) => void]>([
    ['a changed date', ({ targets }) => void (targets.signed.expires = '2999-01-01T00:00:00Z')],
    ['a date that is none, which never comes', ({ targets }) => void (targets.signed.expires = 'never')],
    ['a changed lowest version', ({ targets }) => void (targets.signed.lowest_versions = { a: '1' })],
    ['a changed version', ({ targets }) => void (targets.signed.version = 9)],
    ['no signature', ({ targets }) => void (targets.signatures = [])],
    [
      'one signature twice',
      ({ targets }) =>
        void (targets.signatures = [...targets.signatures.slice(0, 1), ...targets.signatures.slice(0, 1)]),
    ],
    ['another format', (copy) => void (copy.format = 'x')],
    ['no list', (copy) => void Reflect.deleteProperty(copy, 'targets')],
    ['a list for a root', (copy) => void (copy.root = [copy.targets])],
  ])('with %s is refused', async (_what, change) => {
    await expect(checkKeySet(copyOf(set, change), { root: rootOf(set) })).rejects.toMatchObject(
      untrusted(/given/),
    );
  });

  test('in which one key stands under two identifiers does not count it twice', async () => {
    const twice = copyOf(await made({ root: holders(1, ann) }, ann), ({ root: [root] }) => {
      const { signed } = root as unknown as {
        signed: { keys: Record<string, unknown>; roles: Record<string, unknown> };
      };
      signed.keys['0'.repeat(32)] = signed.keys[ann.keyId];
      signed.roles.root = { keyids: [ann.keyId, '0'.repeat(32)], threshold: 2 };
    });
    await expect(checkKeySet(twice)).rejects.toMatchObject(
      untrusted(/the key 0+ is not an Ed25519 key of that name/),
    );
  });

  test.each<[what: string, changes: Partial<KeySetContent>, message: RegExp]>([
    ['a threshold of 0', { root: holders(0, ann) }, /threshold/],
    ['a threshold past its keys', { root: holders(3, ann, ben) }, /threshold/],
    ['a threshold that counts a key twice', { root: holders(2, ann, ann) }, /threshold/],
    ['a date that is none', { expires: 'soon' }, /date/],
    ['a lowest version that is none', { lowestVersions: { a: 'new' } }, /lowest version of a/],
    [
      'a path for a package',
      { signers: [{ name: 'm', keys: [maker.publicKey], packages: ['a/b'] }] },
      /a\/b/,
    ],
    ['two signers of one name', { signers: [...CONTENT.signers, ...CONTENT.signers] }, /one name/],
    ['a key that is none', { root: { keys: ['x'], threshold: 1 } }, /Ed25519/],
  ])('with %s is not made', async (_what, changes, message) => {
    await expect(made(changes)).rejects.toMatchObject({
      code: 'invalid_params',
      message: expect.stringMatching(message) as string,
    });
  });

  test('is written and read as it is; a name in it twice is refused', async () => {
    const file = path.join(await temporaryFolder(), 'keys.json');
    await writeKeySet(file, set);
    expect(await readKeySet(file)).toEqual(set);
    await writeFile(file, (await readFile(file, 'utf8')).replace('{', '{"format":"x",'));
    await expect(readKeySet(file)).rejects.toMatchObject(untrusted(/"format" is in it twice/));
  });
});

/** A station with a key set of its own. */
async function station(set: KeySet, mode: IntegrityPolicy['mode'] = 'strict') {
  const folder = await temporaryFolder();
  const keySet = { file: path.join(folder, 'keys.json'), root: path.join(folder, 'root.json') };
  await writeKeySet(keySet.root, rootOf(set));
  await writeKeySet(keySet.file, set);
  const validator = new PackageValidator({ venvs, integrity: { mode, keySet } });
  const deliver = async (version = '1.0.0', by: Keys = maker) => {
    const zip = path.join(folder, `sample-${version}.zip`);
    await writeFile(zip, await buildPackage({ version }));
    await signPackage(zip, { privateKey: by.privateKey });
    return zip;
  };
  return { validator, deliver, keySet, folder };
}
const venvs = new VenvManager();

describe('a station with a key set', () => {
  test('takes a package of a signer, and refuses those of others, of other names and of old versions', async () => {
    const set = await made({
      signers: [
        { name: 'maker', keys: [maker.publicKey], packages: ['sam*'] },
        { name: 'other', keys: [other.publicKey], packages: ['board-check'] },
      ],
      lowestVersions: { sample: '1.1.0' },
    });
    const { validator, deliver } = await station(set);
    expect(await validator.inspect(await deliver('1.10.0'))).toMatchObject({ version: '1.10.0' });
    const refused = (message: RegExp) => ({
      code: 'invalid_zip',
      message: expect.stringMatching(message) as string,
    });
    await expect(validator.inspect(await deliver('1.0.9'))).rejects.toMatchObject(
      refused(/takes sample from 1.1.0 on/),
    );
    await expect(validator.inspect(await deliver('2.0.0', other))).rejects.toMatchObject(
      refused(/signed by other, who may not sign packages named sample/),
    );
    await expect(validator.inspect(await deliver('2.0.0', dan))).rejects.toMatchObject(
      refused(/none of the 2 known/),
    );
  });

  test('refuses a set that is older than one it has seen, though it is whole', async () => {
    const first = await made({ lowestVersions: {} });
    const second = await rotateKeySet(first, { lowestVersions: { sample: '2.0.0' } }, secret(ann, ben));
    const { validator, deliver, keySet } = await station(first);
    const zip = await deliver();
    await validator.inspect(zip);
    await writeKeySet(keySet.file, second);
    await expect(validator.inspect(zip)).rejects.toMatchObject({ code: 'invalid_zip' });
    await writeKeySet(keySet.file, first);
    await expect(validator.inspect(zip)).rejects.toMatchObject(
      untrusted(/version 1 of its list, where 2 was seen/),
    );
    expect(JSON.parse(await readFile(`${keySet.root}.seen`, 'utf8'))).toEqual({ root: 1, targets: 2 });
  });

  test('whose set has expired refuses installs, keeps a running line running, and installs once it is renewed', async () => {
    const store = await TemporaryStore.open();
    const set = await made();
    const { validator, deliver, keySet } = await station(set);
    const deployer = store.deployer({ venvs, validator });
    await deployer.install(await deliver('1.0.0'));
    await store.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
    const supervisor: AlgorithmSupervisor = store.supervise();
    const image = { data: new Uint8Array(12), width: 2, height: 2 };
    const request = { pid: 'A01', stepIndex: 1, image };
    await supervisor.execute(request);
    await writeKeySet(keySet.file, await rotateKeySet(set, { expires: inDays(-1) }, secret(ann, ben)));
    const next = await deliver('2.0.0');
    await expect(deployer.install(next)).rejects.toMatchObject(untrusted(/expired on/));
    expect((await supervisor.execute(request)).status).toBe('OK');
    // A worker that starts is asked for no keys either.
    await supervisor.stop('sample', '1.0.0');
    expect((await supervisor.execute(request)).status).toBe('OK');
    expect(await deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true });
    const renewed = await rotateKeySet(
      await readKeySet(keySet.file),
      { expires: inDays(9) },
      secret(ben, cid),
    );
    await writeKeySet(keySet.file, renewed);
    expect(await deployer.install(next)).toMatchObject({ version: '2.0.0' });
    await store.close();
  });

  test('that is lenient tells it and takes the package', async () => {
    const { validator, deliver } = await station(await made({ expires: inDays(-1) }), 'lenient');
    const { warnings } = await validator.inspect(await deliver());
    expect(warnings).toEqual([expect.stringMatching(/expired on/)]);
  });

  test.each([
    ['is not there', undefined],
    ['is no JSON', '{'],
    ['is too long', ' '.repeat(1024 * 1024 + 1)],
  ])('whose set %s refuses packages', async (_what, text) => {
    const { validator, deliver, keySet } = await station(await made());
    if (text === undefined) keySet.file += '.gone';
    else await writeFile(keySet.file, text);
    const own =
      text === undefined ? new PackageValidator({ venvs, integrity: { mode: 'strict', keySet } }) : validator;
    await expect(own.inspect(await deliver())).rejects.toMatchObject(untrusted(/cannot be used/));
  });

  test('takes keys or a key set, not both', () => {
    const integrity = { mode: 'strict' as const, publicKeys: [], keySet: { file: 'a', root: 'b' } };
    expect(() => new PackageValidator({ integrity })).toThrow(/publicKeys or keySet/);
  });
});
