/** Unpacking against Python's zipfile, and opening a large archive. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import { openArchive } from '../../src/package/archive.js';
import { forgeZip, type ForgedEntry } from '../../test/support/forge-zip.js';
import { writeSparseArchive } from '../../test/support/sparse-archive.js';
import { compare, figure, type BenchCase, type BenchResult } from '../harness.js';

const MIB = 1024 ** 2;

/** Unpacks what it is told, line by line, and says how many milliseconds it took: start-up is not counted. */
const PYTHON = `
import sys, time, zipfile
for line in sys.stdin:
    file, target = line.rstrip('\\n').split('\\t')
    start = time.perf_counter()
    with zipfile.ZipFile(file) as archive:
        archive.extractall(target)
    print((time.perf_counter() - start) * 1000, flush=True)
`;

/** Noise from a fixed seed (xorshift32), as letters: it packs to about three quarters. */
function noise(bytes: number, seed = 1): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  let state = seed;
  for (let n = 0; n < bytes; n++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    buffer[n] = 48 + (state & 63);
  }
  return buffer;
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'bench-archive-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function unpacking(name: string, entries: () => ForgedEntry[]): BenchCase {
  return {
    name: `archive: unpack ${name}`,
    run: () =>
      inFolder(async (folder) => {
        const file = path.join(folder, 'package.zip');
        const target = path.join(folder, 'out');
        await writeFile(file, forgeZip(entries()));
        const python = spawn('python3', ['-c', PYTHON], { stdio: ['pipe', 'pipe', 'inherit'] });
        const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
        try {
          const result = await compare({
            name: `unpack ${name}, all checks on`,
            comparator: "Python's zipfile",
            atMost: 1,
            ours: async () => {
              await rm(target, { recursive: true, force: true });
              const startedAt = performance.now();
              await using archive = await openArchive(file);
              await archive.extract(target);
              return performance.now() - startedAt;
            },
            theirs: async () => {
              await rm(target, { recursive: true, force: true });
              python.stdin.write(`${file}\t${target}\n`);
              const answer = (await answers.next()) as IteratorResult<string, undefined>;
              return Number(answer.value);
            },
          });
          return [result];
        } finally {
          python.stdin.end();
        }
      }),
  };
}

/** In a process of its own: memory that was used before would be used again, and hide what is used now. */
async function openingLargeArchive(): Promise<BenchResult[]> {
  return inFolder(async (folder) => {
    const file = path.join(folder, 'package.zip');
    await writeSparseArchive(file, { entries: 10_000, entryBytes: 107_000 });
    const script = fileURLToPath(new URL('../support/open-archive.ts', import.meta.url));
    const samples = Array.from({ length: 5 }, () => {
      const { stdout, stderr } = spawnSync(process.execPath, [...process.execArgv, script, file], {
        encoding: 'utf8',
      });
      if (stdout === '') throw new Error(stderr);
      return JSON.parse(stdout) as { ms: number; bytes: number };
    });
    return [
      figure({
        name: 'open 1 GB, 10,000 entries, first in a process',
        unit: 'ms',
        samples: samples.map(({ ms }) => ms),
        atMost: 150,
      }),
      figure({
        name: 'open 1 GB, 10,000 entries: memory',
        unit: 'MiB',
        samples: samples.map(({ bytes }) => bytes / MIB),
        atMost: 50,
      }),
    ];
  });
}

/** 200 MB behind a few hundred bytes that say they are 1 MB. */
async function stoppingBomb(): Promise<BenchResult[]> {
  return inFolder(async (folder) => {
    const file = path.join(folder, 'package.zip');
    const lie = { size: MIB };
    const packed = deflateRawSync(Buffer.alloc(200 * MIB));
    await writeFile(file, forgeZip([{ name: 'bomb.bin', packed, local: lie, central: lie }]));
    const samples: number[] = [];
    for (let round = 0; round < 5; round++) {
      const startedAt = performance.now();
      await using archive = await openArchive(file);
      const outcome = await archive.extract(path.join(folder, 'out')).then(
        () => 'unpacked',
        () => 'refused',
      );
      if (outcome === 'unpacked') throw new Error('the bomb was unpacked');
      samples.push(performance.now() - startedAt);
    }
    return [figure({ name: 'stop a compressed bomb', unit: 'ms', samples, atMost: 1_000 })];
  });
}

export const cases: BenchCase[] = [
  unpacking('5,000 small files', () =>
    Array.from({ length: 5_000 }, (_, n) => ({
      name: `project/folder${n % 100}/file${n}.txt`,
      data: noise(200 + ((n * 7919) % 7_800), n + 1),
    })),
  ),
  unpacking('one stored file of 300 MB', () => [
    { name: 'wheels/large.whl', data: noise(300 * MIB), method: 0 },
  ]),
  unpacking('one deflated file of 300 MB', () => [{ name: 'project/model.bin', data: noise(300 * MIB) }]),
  { name: 'archive: open', run: openingLargeArchive },
  { name: 'archive: bomb', run: stoppingBomb },
];
