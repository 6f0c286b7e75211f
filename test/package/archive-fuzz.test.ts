import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import { openArchive } from '../../src/package/archive.js';
import { buildPackage } from '../../src/testing/index.js';
import { descriptorOf, forgeZip } from '../support/forge-zip.js';
import { folderState } from '../support/folder-state.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** `npm run fuzz:archive` sets many more. */
const RUNS = Number(process.env.PROCVISION_FUZZ_RUNS ?? 400);
/** Of the run: `PROPERTY_SEED` repeats it. */
const SEED = Number(process.env.PROPERTY_SEED);
const LONGEST_CASE_MS = 5_000;
/** Accepted archives that are shown to a second reader, Python's zipfile. */
const MOST_COMPARED = 500;

const READ_BY_PYTHON = `
import hashlib, json, sys, zipfile
for line in sys.stdin:
    with zipfile.ZipFile(line.strip()) as z:
        print(json.dumps([hashlib.sha256(z.read(i)).hexdigest() for i in z.infolist() if not i.is_dir()]))
`;

/** Small archives in which every structure occurs, so that most mutations hit one. */
async function seeds(): Promise<Buffer[]> {
  const text = Buffer.from('some text that repeats, some text that repeats');
  const crc = 0x12345678;
  return [
    Buffer.from(await buildPackage({ generation: 'phased' })),
    forgeZip([
      { name: 'project/' },
      { name: 'project/manifest.json', data: '{}' },
      { name: 'project/a.bin', data: text, method: 0 },
      { name: 'project/b.txt', data: text, descriptor: true },
    ]),
    forgeZip(
      [
        { name: 'a.txt', data: text },
        { name: 'inner.zip', data: forgeZip([{ name: 'x', data: 'y' }]), method: 0 },
      ],
      {
        zip64: {},
        comment: Buffer.from('a comment'),
      },
    ),
    forgeZip([
      {
        name: 'd.txt',
        data: text,
        flags: 0x808,
        descriptor: descriptorOf(crc, 1, 2, { signed: false, wide: true }),
      },
    ]),
  ];
}

/** One change to an archive's bytes. */
type Mutation =
  | { kind: 'set'; at: number; value: number }
  | { kind: 'number'; at: number; bytes: 2 | 4; value: number }
  | { kind: 'cut'; at: number; length: number }
  | { kind: 'copy'; from: number; at: number; length: number }
  | { kind: 'insert'; at: number; content: Uint8Array };

/** A place in the archive, as a share of its length: half of all fall into directory and end record. */
const place = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.double({ min: 0.75, max: 1, noNaN: true }),
);
/** Numbers at which fields overflow, defer or point somewhere else. */
const number = fc.oneof(
  fc.constantFrom(0, 1, 0xffff, 0xffffffff, 0x7fffffff, 0x04034b50, 0x02014b50, 0x06054b50),
  fc.nat(0xffffffff),
  fc.nat(4096),
);
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: place, value: fc.nat(255) }),
  fc.record({
    kind: fc.constant('number' as const),
    at: place,
    bytes: fc.constantFrom(2 as const, 4 as const),
    value: number,
  }),
  fc.record({ kind: fc.constant('cut' as const), at: place, length: fc.nat(200) }),
  fc.record({ kind: fc.constant('copy' as const), from: place, at: place, length: fc.nat(200) }),
  fc.record({ kind: fc.constant('insert' as const), at: place, content: fc.uint8Array({ maxLength: 64 }) }),
);

function mutate(original: Buffer, mutations: readonly Mutation[]): Buffer {
  let bytes = Buffer.from(original);
  for (const change of mutations) {
    const at = Math.floor(change.at * bytes.length);
    if (change.kind === 'set' && at < bytes.length) bytes.writeUInt8(change.value, at);
    if (change.kind === 'number' && at + change.bytes <= bytes.length) {
      const bits = change.bytes * 8;
      bytes.writeUIntLE(change.value % 2 ** bits, at, change.bytes);
    }
    if (change.kind === 'cut')
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + change.length)]);
    if (change.kind === 'copy')
      bytes.copyWithin(
        at,
        Math.floor(change.from * bytes.length),
        Math.floor(change.from * bytes.length) + change.length,
      );
    if (change.kind === 'insert')
      bytes = Buffer.concat([bytes.subarray(0, at), change.content, bytes.subarray(at)]);
  }
  return bytes;
}

const python = spawnSync('python3', ['-c', 'pass']).status === 0;

async function openDescriptors(): Promise<number | undefined> {
  return process.platform === 'linux' ? (await readdir('/proc/self/fd')).length : undefined;
}

test(
  `every mutated archive is accepted whole or refused, leaves nothing, and what is accepted reads the same in Python (seed ${SEED}, ${RUNS} runs)`,
  async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    onTestFinished(() => void process.off('unhandledRejection', note));

    const folder = await temporaryFolder();
    const file = path.join(folder, 'package.zip');
    const store = path.join(folder, 'store');
    const target = path.join(store, 'a', 'b', 'target');
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(path.join(store, 'registry.json'), '[]');
    const before = await folderState(store);
    const originals = await seeds();
    const accepted = path.join(folder, 'accepted');
    await mkdir(accepted);
    const compared = new Map<string, string[]>();
    const outcomes = { accepted: 0, refused: 0 };

    const attempt = async (bytes: Buffer) => {
      await writeFile(file, bytes);
      const startedAt = performance.now();
      try {
        await using archive = await openArchive(file);
        const result = await archive.extract(target);
        const files = archive.entries.filter(({ isDirectory }) => !isDirectory);
        expect(result.files).toBe(files.length);
        const hashes: string[] = [];
        for (const entry of files)
          hashes.push(
            createHash('sha256')
              .update(await archive.read(entry))
              .digest('hex'),
          );
        const copy = path.join(accepted, `${outcomes.accepted++}.zip`);
        if (compared.size < MOST_COMPARED) {
          await writeFile(copy, bytes);
          compared.set(copy, hashes);
        }
        await rm(target, { recursive: true });
      } catch (error) {
        if (!RunnerError.is(error, 'invalid_zip')) throw error;
        outcomes.refused++;
      }
      expect(performance.now() - startedAt).toBeLessThan(LONGEST_CASE_MS);
      expect(await folderState(store)).toEqual(before);
    };

    // What is loaded once and kept must not count as a leak.
    for (const original of originals) await attempt(original);
    const descriptors = await openDescriptors();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(originals.length - 1),
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        async (which, mutations) => attempt(mutate(originals[which] ?? Buffer.alloc(0), mutations)),
      ),
      { seed: SEED, numRuns: RUNS, endOnFailure: true },
    );
    expect(await openDescriptors()).toBe(descriptors);
    expect(unhandled).toEqual([]);
    if (python) {
      const { stdout, stderr } = spawnSync('python3', ['-X', 'utf8', '-c', READ_BY_PYTHON], {
        input: [...compared.keys()].join('\n'),
        encoding: 'utf8',
        maxBuffer: 1e9,
      });
      expect(stderr).toBe('');
      expect(
        stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as string[]),
      ).toEqual([...compared.values()]);
    }
    // A fuzz run that finds only one kind of outcome tests nothing.
    expect(outcomes.refused).toBeGreaterThan(RUNS / 4);
    expect(outcomes.accepted).toBeGreaterThan(0);
  },
  30 * 60_000,
);
