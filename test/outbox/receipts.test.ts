import { generateKeyPairSync } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkConsistency, checkProof, verifyReceipts } from '../../src/outbox/index.js';
import { rangeOf, STATE_KEY } from '../../src/outbox/storage/keys.js';
import { levelDatabase } from '../../src/outbox/storage/level.js';
import { cliFolder } from '../support/cli.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { facts, openOutbox, pictureOf, resultOf } from './support.js';
import { openRecords, tamper, TAMPERINGS } from './tampering.js';

const keys = generateKeyPairSync('ed25519');
const publicKey = keys.publicKey;
const signingKey = keys.privateKey;

/** An outbox in which some was delivered and removed, some set aside, some given up, and some waits. */
async function usedOutbox(): Promise<{ folder: string; heads: { size: number }[] }> {
  const folder = await temporaryFolder();
  let now = 1_700_000_000_000;
  const outbox = await openOutbox(folder, { signingKey, retentionDays: 1, now: () => (now += 1_000) });
  for (let one = 0; one < 12; one++) {
    const verdict = one % 3 === 0 ? 'NG' : 'OK';
    await outbox.record(resultOf(verdict), { ...facts, pictures: [pictureOf(`picture ${one}`)] });
    await outbox.note('log', { line: one });
  }
  const { items } = await outbox.queue.due('records', { limit: 6 });
  await outbox.queue.acknowledge(items);
  const [refused, ...later] = (await outbox.queue.due('records')).items;
  if (refused) await outbox.queue.setAside(refused, 'refused');
  await outbox.queue.acknowledge((await outbox.queue.due('pictures', { limit: 4 })).items);
  const head = outbox.head();
  now += 2 * 86_400_000;
  await outbox.queue.acknowledge(later.slice(0, 3));
  for (let one = 0; one < 300; one++) await outbox.note('health', { one });
  await outbox.close();
  return { folder, heads: head ? [head] : [] };
}

test('an outbox with removed, refused, given-up and waiting records is intact', async () => {
  const { folder } = await usedOutbox();
  const report = await verifyReceipts(folder, { publicKey });
  expect(report.faults).toEqual([]);
  expect(report).toMatchObject({ isIntact: true, keyFrom: 'given' });
  expect(report.removed).toBeGreaterThan(8);
  expect(report.present + report.removed).toBe(report.logged);
  expect(report.pictures).toBe(8);
});

test.each<[string, (state: { head: Record<string, unknown>; priorities: unknown[] }) => void]>([
  ['a head whose time no calendar has', ({ head }) => (head.timestamp_ms = Number.MAX_SAFE_INTEGER)],
  ['a head without a signature', ({ head }) => delete head.signature],
  ['a priority without counts', ({ priorities }) => (priorities[0] = {})],
])('a state with %s is a fault in the report, not an error', async (_, change) => {
  const folder = await temporaryFolder();
  const outbox = await openOutbox(folder, { signingKey });
  await outbox.record(resultOf(), facts);
  await outbox.close();
  const database = levelDatabase(path.join(folder, 'records'));
  await database.open();
  const state = JSON.parse(String(await database.get(STATE_KEY))) as Parameters<typeof change>[0];
  change(state);
  const value = Buffer.from(JSON.stringify(state));
  await database.batch([{ type: 'put', key: STATE_KEY, value }], { sync: false });
  await database.close();
  const { isIntact, faults } = await verifyReceipts(folder, { publicKey });
  expect(isIntact).toBe(false);
  expect(faults[0]?.reason).toMatch(/cannot be read/);
});

test('a folder in the format of another release is refused in one line, and is one fault of a verification', async () => {
  const folder = await temporaryFolder();
  const outbox = await openOutbox(folder);
  await outbox.record(resultOf(), facts);
  await outbox.close();
  const database = levelDatabase(path.join(folder, 'records'));
  await database.open();
  const state = JSON.parse(String(await database.get(STATE_KEY))) as object;
  const value = Buffer.from(JSON.stringify({ ...state, format: 1 }));
  await database.batch([{ type: 'put', key: STATE_KEY, value }], { sync: true });
  await database.close();
  await expect(openOutbox(folder)).rejects.toMatchObject({
    code: 'store_damaged',
    message: expect.stringContaining('open it with the release that wrote it') as string,
  });
  const { faults } = await verifyReceipts(folder);
  expect(faults.map(({ reason }) => reason)).toEqual([
    'the log has the format 1, and this release reads 2: verify it with the release that wrote it',
  ]);
});

test.each([NaN, -1, 0.5, 2])('a log of one record has no earlier size %s', async (size) => {
  const outbox = await openOutbox(await temporaryFolder());
  await outbox.record(resultOf(), facts);
  await expect(outbox.proveConsistency(size)).rejects.toMatchObject({ code: 'not_found' });
  await expect(outbox.prove(size)).rejects.toMatchObject({ code: 'not_found' });
});

test('a record is proven with the public key alone, also after it was removed', async () => {
  const { folder, heads } = await usedOutbox();
  const outbox = await openOutbox(folder, { signingKey, retentionDays: 1, now: () => 1_700_000_000_000 });
  for (const [index, isRemoved] of [
    [0, true],
    [1, true],
    [300, false],
  ] as const) {
    const proof = await outbox.prove(index);
    checkProof(proof, publicKey);
    expect(proof.record === undefined).toBe(isRemoved);
    const altered = { ...proof, leaf: proof.leaf.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')) };
    expect(() => {
      checkProof(altered, publicKey);
    }).toThrow(expect.objectContaining({ code: 'untrusted_receipt' }));
    const other = generateKeyPairSync('ed25519').publicKey;
    expect(() => {
      checkProof(proof, other);
    }).toThrow(expect.objectContaining({ code: 'untrusted_receipt' }));
  }
  const [earlier] = heads;
  const consistency = await outbox.proveConsistency(earlier?.size ?? 0);
  checkConsistency(earlier as Parameters<typeof checkConsistency>[0], consistency, publicKey);
  await expect(outbox.prove(100_000)).rejects.toMatchObject({ code: 'not_found' });
});

test('the command line says what was altered, by the key and the head that were kept elsewhere', async () => {
  const { folder } = await usedOutbox();
  const cli = await cliFolder();
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  await writeFile(path.join(cli.folder, 'key.pem'), pem);
  const intact = await cli.run('receipts', 'verify', folder, '--key', 'key.pem', '--save-head', 'head.json');
  expect(intact).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^intact: /) as string });
  const again = await cli.run('receipts', 'verify', folder, '--head', 'head.json');
  expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('--key') as string });
  const database = levelDatabase(path.join(folder, 'records'));
  await database.open();
  await database.batch([{ type: 'del', key: rangeOf('r0', 100).gte }], { sync: true });
  await database.close();
  const altered = await cli.run('receipts', 'verify', folder, '--key', 'key.pem', '--json');
  expect(altered).toMatchObject({ code: 1 });
  const reasons = (altered.json() as { faults: { reason: string }[] }).faults.map(({ reason }) => reason);
  expect(reasons).toContain('record 100 is missing');
  expect((await cli.run('receipts', 'verify', 'nowhere')).stderr).toContain('is no outbox');
});

test('without a key of the options the key is made once, in the folder, for its owner alone', async () => {
  const folder = await temporaryFolder();
  for (let one = 0; one < 2; one++) {
    const outbox = await openOutbox(folder);
    await outbox.record(resultOf(), facts);
    await outbox.close();
  }
  const report = await verifyReceipts(folder);
  expect(report).toMatchObject({ isIntact: true, keyFrom: 'folder', logged: 2 });
});

test.each([
  ['an export', 'records/ws-1/a.jsonl'],
  ['a folder without a store', 'records/notes.txt'],
  ['any folder', 'a.txt'],
  ['a store that has lost its CURRENT', 'records/MANIFEST-000002'],
])(
  'the receipts of %s are not looked for: the error says what to give, and nothing is changed',
  async (_what, file) => {
    const folder = await temporaryFolder();
    await mkdir(path.join(folder, path.dirname(file)), { recursive: true });
    await writeFile(path.join(folder, file), 'x');
    const before = await readdir(folder, { recursive: true });
    await expect(verifyReceipts(folder)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(/Give the folder/) as string,
    });
    expect(await readdir(folder, { recursive: true })).toEqual(before);
  },
);

test('a store that has lost its CURRENT is not opened as a new one, and keeps its files', async () => {
  const { folder } = await usedOutbox();
  await rm(path.join(folder, 'records', 'CURRENT'));
  const before = await readdir(path.join(folder, 'records'));
  await expect(openOutbox(folder, { signingKey })).rejects.toMatchObject({ code: 'store_damaged' });
  expect(await readdir(path.join(folder, 'records'))).toEqual(before);
});

test('a picture that is missing is told by the id of its verdict, in one whole line and in the singular', async () => {
  const folder = await temporaryFolder();
  const outbox = await openOutbox(folder, { signingKey });
  const { ingestId } = await outbox.record(resultOf('NG'), { ...facts, pictures: [pictureOf('a')] });
  const [picture] = (await outbox.queue.due('pictures')).items;
  const file = picture?.picture?.file ?? '';
  await rm(file);
  await outbox.close();
  const { faults } = await verifyReceipts(folder, { publicKey });
  expect(faults).toMatchObject([{ index: 1, ingestId }]);
  const cli = await cliFolder();
  const { stdout, stderr, code } = await cli.run('receipts', 'verify', folder);
  expect(stdout).toBe(`1: the picture of ${ingestId} (record 1) is missing: ${file}\n`);
  expect(stderr).toContain('1 fault: 2 logged');
  expect(code).toBe(1);
});

describe('a folder that somebody altered', () => {
  test('each kind of tampering, at random places, is found', { timeout: 7_200_000 }, async () => {
    const runs = Number(process.env.OUTBOX_TAMPERINGS ?? '400');
    const { folder, heads } = await usedOutbox();
    const missed: string[] = [];
    const records = await openRecords(folder);
    const found = new Map<string, number>();
    for (let run = 0; run < runs; run++) {
      const [kind, fault] = await tamper(records, { publicKey, heads }, run);
      if (!fault) missed.push(`${run}: ${kind}`);
      found.set(kind, (found.get(kind) ?? 0) + 1);
    }
    expect(missed).toEqual([]);
    expect([...found.keys()].sort()).toEqual([...TAMPERINGS].sort());
  });

  test('an older copy of the whole folder is found by a head that was exported since', async () => {
    const folder = await temporaryFolder();
    const copy = path.join(await temporaryFolder(), 'copy');
    const outbox = await openOutbox(folder, { signingKey });
    await outbox.record(resultOf(), facts);
    await outbox.close();
    await cp(folder, copy, { recursive: true });
    const again = await openOutbox(folder, { signingKey });
    await again.record(resultOf('NG'), facts);
    const head = again.head();
    await again.close();
    expect(await verifyReceipts(copy, { publicKey })).toMatchObject({ isIntact: true });
    const report = await verifyReceipts(copy, { publicKey, heads: head ? [head] : [] });
    expect(report.faults.map(({ reason }) => reason)).toEqual([
      'a head of 2 records is known, and the log has 1: its end was cut off',
    ]);
  });

  test('a picture that was altered or removed is found', async () => {
    const { folder } = await usedOutbox();
    const pictures = path.join(folder, 'pictures');
    const files = (await readdir(pictures, { recursive: true, withFileTypes: true })).filter((one) =>
      one.isFile(),
    );
    const [one, other] = files.map((entry) => path.join(entry.parentPath, entry.name));
    if (!one || !other) throw new Error('no pictures');
    await writeFile(one, Buffer.concat([await readFile(one), Buffer.of(0)]));
    await rm(other);
    const { faults } = await verifyReceipts(folder, { publicKey });
    expect(faults.map(({ reason }) => /altered|missing/.exec(reason)?.[0]).sort()).toEqual([
      'altered',
      'missing',
    ]);
  });
});
