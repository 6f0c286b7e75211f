import { createHash, generateKeyPairSync } from 'node:crypto';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openArchive } from '../../src/package/archive.js';
import {
  checkIntegrity,
  generateSigningKeys,
  packageDigest,
  signPackage,
} from '../../src/package/integrity.js';
import type { IntegrityPolicy } from '../../src/package/integrity.js';
import { readPublicKey } from '../../src/package/keys.js';
import type { Requirement, Wheel } from '../../src/package/types.js';
import { writeZip, type ZipEntry } from '../../src/testing/zip-writer.js';
import { forgeZip } from '../support/forge-zip.js';
import { temporaryFolder } from '../support/temp-folder.js';

const WHEEL = 'tool-1.0-py3-none-any.whl';
const WHEEL_BYTES = Buffer.from('the bytes of a wheel');
const ENTRIES: ZipEntry[] = [
  { name: 'project/manifest.json', data: '{}' },
  { name: 'project/main.py', data: 'print(1)\n' },
  { name: 'wheels/' },
  { name: `wheels/${WHEEL}`, data: WHEEL_BYTES, stored: true },
];

async function packageFile(bytes: Uint8Array = writeZip(ENTRIES)): Promise<string> {
  const file = path.join(await temporaryFolder(), 'package.zip');
  await writeFile(file, bytes);
  return file;
}

async function check(file: string, policy: IntegrityPolicy) {
  await using archive = await openArchive(file);
  return await checkIntegrity(archive, policy);
}

async function refusal(file: string, policy: IntegrityPolicy) {
  const error: unknown = await check(file, policy).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'invalid_zip', errorCode: '2001', details: { stage: 'integrity' } });
  return (error as Error).message;
}

describe('signatures', () => {
  test('a package signed by a known key passes, and unpacks like before with one entry more', async () => {
    const file = await packageFile();
    const keys = generateSigningKeys();
    const { digest, keyId } = await signPackage(file, keys);
    expect(keyId).toBe(keys.keyId);
    const publicKeys = [generateSigningKeys().publicKey, keys.publicKey];
    expect(await check(file, { mode: 'strict', publicKeys })).toEqual({
      signature: 'valid',
      keyId,
      digest,
      findings: [],
    });
    await using archive = await openArchive(file);
    expect(archive.entries.map(({ name }) => name)).toEqual([
      'project/manifest.json',
      'project/main.py',
      'wheels',
      `wheels/${WHEEL}`,
      'SIGNATURE',
    ]);
    const target = path.join(path.dirname(file), 'out');
    await archive.extract(target);
    expect(await readFile(path.join(target, 'project', 'main.py'), 'utf8')).toBe('print(1)\n');
  });

  test('signing again replaces the signature', async () => {
    const file = await packageFile();
    await signPackage(file, generateSigningKeys());
    const second = generateSigningKeys();
    await signPackage(file, second);
    expect(await check(file, { mode: 'strict', publicKeys: [second.publicKey] })).toMatchObject({
      signature: 'valid',
    });
    await using archive = await openArchive(file);
    expect(archive.entries).toHaveLength(5);
  });

  test('signing to another file leaves the package as it was and nothing else beside it', async () => {
    const file = await packageFile();
    const before = await readFile(file);
    const output = path.join(path.dirname(file), 'signed.zip');
    await signPackage(file, { ...generateSigningKeys(), output });
    expect((await readFile(file)).equals(before)).toBe(true);
    expect((await readdir(path.dirname(file))).sort()).toEqual(['package.zip', 'signed.zip']);
  });

  test('the digest is the documented one and does not depend on order, compression or dates', async () => {
    const hash = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
    const documented = hash(
      `${hash('print(1)\n')} 9 project/main.py\n` +
        `${hash('{}')} 2 project/manifest.json\n` +
        `${hash('')} 0 wheels/\n` +
        `${hash(WHEEL_BYTES)} ${WHEEL_BYTES.length} wheels/${WHEEL}\n`,
    );
    for (const entries of [ENTRIES, [...ENTRIES].reverse().map((entry) => ({ ...entry, stored: true }))]) {
      await using archive = await openArchive(await packageFile(writeZip(entries)));
      expect(await packageDigest(archive)).toBe(documented);
    }
  });

  test('signs an archive of 65,535 entries into a zip64 one', async () => {
    const entries = Array.from({ length: 65_535 }, (_, n) => ({ name: `${n % 50}/${n}`, method: 0 }));
    const file = await packageFile(forgeZip(entries));
    const keys = generateSigningKeys();
    await signPackage(file, keys);
    await using archive = await openArchive(file);
    expect(archive.entries).toHaveLength(65_536);
    expect(await checkIntegrity(archive, { mode: 'strict', publicKeys: [keys.publicKey] })).toMatchObject({
      signature: 'valid',
    });
  });

  test.each([
    ['content', { name: 'project/main.py', data: 'print(2)\n' }],
    ['a name', { name: 'project/main2.py', data: 'print(1)\n' }],
  ])('strict refuses a package whose %s was altered after it was signed', async (_, altered) => {
    const file = await packageFile();
    const keys = generateSigningKeys();
    await signPackage(file, keys);
    await using archive = await openArchive(file);
    const entry = archive.get('SIGNATURE');
    if (!entry) throw new Error('not signed');
    const signature = { name: 'SIGNATURE', data: await archive.read(entry) };
    const forged = await packageFile(
      writeZip([...ENTRIES.map((one, n) => (n === 1 ? altered : one)), signature]),
    );
    expect(await refusal(forged, { mode: 'strict', publicKeys: [keys.publicKey] })).toContain(
      'altered after it was signed',
    );
    expect(await check(forged, { mode: 'lenient', publicKeys: [keys.publicKey] })).toMatchObject({
      signature: 'invalid',
      findings: [expect.stringContaining('altered after it was signed')],
    });
  });

  test('strict refuses a package that is signed by nobody known, before its content is read', async () => {
    const file = await packageFile();
    const { keyId } = await signPackage(file, generateSigningKeys());
    // Content that cannot be read shows that it was not tried.
    const bytes = await readFile(file);
    bytes.write('XXXX', bytes.indexOf(WHEEL_BYTES));
    await writeFile(file, bytes);
    const policy = { mode: 'strict' as const, publicKeys: [generateSigningKeys().publicKey] };
    expect(await refusal(file, policy)).toContain(`signed by the key ${keyId}, which is none of the 1 known`);
    expect(await refusal(file, { mode: 'strict', publicKeys: [] })).toContain('none of the 0 known');
  });

  test('strict refuses a signature that borrows the identifier of a known key', async () => {
    const file = await packageFile();
    const [mine, theirs] = [generateSigningKeys(), generateSigningKeys()];
    await signPackage(file, mine);
    await using archive = await openArchive(file);
    const entry = archive.get('SIGNATURE');
    if (!entry) throw new Error('not signed');
    const data = (await archive.read(entry)).toString().replace(mine.keyId, theirs.keyId);
    const forged = await packageFile(writeZip([...ENTRIES, { name: 'SIGNATURE', data }]));
    expect(await refusal(forged, { mode: 'strict', publicKeys: [theirs.publicKey] })).toContain(
      'does not come from the key',
    );
  });

  test.each([
    ['a package without signature', ENTRIES, 'is not signed'],
    [
      'a signature of unknown format',
      [...ENTRIES, { name: 'SIGNATURE', data: 'trust me' }],
      'no signature of a known format',
    ],
    [
      'a signature of 5,000 bytes',
      [...ENTRIES, { name: 'SIGNATURE', data: 'x'.repeat(5_000) }],
      'no signature of a known format',
    ],
  ])('strict refuses %s', async (_, entries, message) => {
    const policy = { mode: 'strict' as const, publicKeys: [generateSigningKeys().publicKey] };
    expect(await refusal(await packageFile(writeZip(entries)), policy)).toContain(message);
  });

  test('mode off and a policy without keys look at no signature', async () => {
    const file = await packageFile();
    expect(await check(file, { mode: 'off', publicKeys: [] })).toEqual({
      signature: 'not_checked',
      findings: [],
    });
    expect(await check(file, { mode: 'strict' })).toEqual({ signature: 'not_checked', findings: [] });
  });

  test('refuses keys that are not Ed25519, without showing them', async () => {
    const file = await packageFile();
    const copy = `${file}.copy`;
    await copyFile(file, copy);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 });
    for (const privateKey of [rsa.privateKey, 'no key', generateSigningKeys().publicKey]) {
      const error: unknown = await signPackage(file, { privateKey }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: 'invalid_params',
        message: expect.stringContaining('Ed25519') as string,
      });
    }
    await expect(check(file, { mode: 'lenient', publicKeys: [rsa.publicKey] })).rejects.toMatchObject({
      code: 'invalid_params',
    });
    expect((await readFile(file)).equals(await readFile(copy))).toBe(true);
  });
});

describe('wheel hashes', () => {
  const right = createHash('sha256').update(WHEEL_BYTES).digest('hex');
  const wrong = 'ab'.repeat(32);
  const wheel: Wheel = {
    file: WHEEL,
    name: 'tool',
    version: '1.0',
    tags: ['py3-none-any'],
    sizeBytes: WHEEL_BYTES.length,
  };
  const line = (name: string, hashes: string[]): Requirement => ({
    text: name,
    name,
    extras: [],
    specifier: '',
    hashes,
    line: 1,
  });

  async function withHashes(mode: 'lenient' | 'strict', requirements: Requirement[]) {
    await using archive = await openArchive(await packageFile());
    const entry = archive.get(`wheels/${WHEEL}`);
    if (!entry) throw new Error('no wheel');
    return await checkIntegrity(archive, { mode }, { wheels: [{ entry, wheel }], requirements });
  }

  test.each([
    ['its hash', [line('tool', [right])]],
    ['its hash in upper case among others', [line('tool', [wrong, right.toUpperCase()])]],
    ['its hash on one of two lines', [line('tool', [wrong]), line('tool', [right])]],
    ['no hashes at all', [line('tool', [])]],
  ])('strict accepts a wheel with %s', async (_, requirements) => {
    expect((await withHashes('strict', requirements)).findings).toEqual([]);
  });

  test.each([
    [
      'another hash',
      [line('tool', [wrong])],
      `has the SHA-256 ${right}, but the requirements ask for ${wrong}`,
    ],
    ['no hash where others have one', [line('other', [wrong])], 'has no hash in the requirements'],
  ])('strict refuses and lenient reports a wheel with %s', async (_, requirements, message) => {
    await expect(withHashes('strict', requirements)).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringContaining(message) as string,
    });
    expect((await withHashes('lenient', requirements)).findings).toEqual([expect.stringContaining(message)]);
  });
});

test('a private key where a public one belongs is refused, and its text is not repeated', () => {
  const { privateKey } = generateSigningKeys();
  const read = () => readPublicKey(privateKey);
  expect(read).toThrow('this is a private key: give its public key');
  expect(read).not.toThrow(privateKey.split('\n')[1]);
});
