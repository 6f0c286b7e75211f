/** Unpacking against Python's zipfile, and opening a large archive. */
import { spawn, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import { forgeZip, type ForgedEntry } from '../../test/support/forge-zip.js';
import { writeSparseArchive } from '../../test/support/sparse-archive.js';
import { setAside } from '../harness/aside.js';
import type { BenchCase } from '../harness/case.js';
import { timed } from '../harness/statistics.js';
import { pythonOf } from '../support/pythons.js';

const MIB = 1024 ** 2;
const ZIPFILE = "Python's zipfile";

/** Unpacks what each line names and prints how many milliseconds that took: start-up is not counted. */
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

function unpacking(what: string, content: string, entries: (quick: boolean) => ForgedEntry[]): BenchCase {
  return {
    name: `archive/unpack-${what}`,
    measures: `Unpacking ${content} with all checks`,
    figures: { time: { unit: 'ms' } },
    bars: [{ figure: 'time', contestant: 'ours', over: ZIPFILE, atMost: 1 }],
    async open(context) {
      const file = path.join(context.folder, 'package.zip');
      const target = path.join(context.folder, 'out');
      await writeFile(file, forgeZip(entries(context.quick)));
      return {
        ours: () => ({
          round: async () => {
            await setAside(context.folder, target);
            const time = await timed(async () => {
              await using archive = await context.library.main.openArchive(file);
              await archive.extract(target);
            });
            return { time };
          },
        }),
        [ZIPFILE]: async () => {
          const python = spawn(await pythonOf(context), ['-c', PYTHON], {
            stdio: ['pipe', 'pipe', 'inherit'],
          });
          const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
          return {
            round: async () => {
              await setAside(context.folder, target);
              python.stdin.write(`${file}\t${target}\n`);
              const answer = (await answers.next()) as IteratorResult<string, undefined>;
              return { time: Number(answer.value) };
            },
            close: () => Promise.resolve(python.stdin.end()),
          };
        },
      };
    },
  };
}

const opening: BenchCase = {
  name: 'archive/open',
  measures: 'Opening 1 GB of 10,000 entries as the first work of a process, and the memory it takes',
  figures: { time: { unit: 'ms' }, memory: { unit: 'MiB' } },
  bars: [
    { figure: 'time', contestant: 'ours', atMost: 150 },
    { figure: 'memory', contestant: 'ours', atMost: 50 },
  ],
  async open({ library, folder }) {
    const file = path.join(folder, 'package.zip');
    await writeSparseArchive(file, { entries: 10_000, entryBytes: 107_000 });
    const script = fileURLToPath(new URL('../support/open-archive.mjs', import.meta.url));
    return {
      ours: () => ({
        round: () => {
          const args = [script, library.file('index.js'), file];
          const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
          if (stdout === '') throw new Error(stderr);
          const { ms, bytes } = JSON.parse(stdout) as { ms: number; bytes: number };
          return Promise.resolve({ time: ms, memory: bytes / MIB });
        },
      }),
    };
  },
};

/** 200 MB behind a few hundred bytes whose header says 1 MB. */
const bomb: BenchCase = {
  name: 'archive/bomb',
  measures: 'Refusing a compressed bomb: 200 MB behind a header of 1 MB',
  figures: { time: { unit: 'ms' } },
  bars: [{ figure: 'time', contestant: 'ours', atMost: 1_000 }],
  async open({ library, folder }) {
    const file = path.join(folder, 'package.zip');
    const lie = { size: MIB };
    const packed = deflateRawSync(Buffer.alloc(200 * MIB));
    await writeFile(file, forgeZip([{ name: 'bomb.bin', packed, local: lie, central: lie }]));
    return {
      ours: () => ({
        round: async () => {
          const startedAt = performance.now();
          await using archive = await library.main.openArchive(file);
          const outcome = await archive.extract(path.join(folder, 'out')).then(
            () => 'unpacked',
            () => 'refused',
          );
          if (outcome === 'unpacked') throw new Error('the bomb was unpacked');
          return { time: performance.now() - startedAt };
        },
      }),
    };
  },
};

const large = (quick: boolean) => noise((quick ? 30 : 300) * MIB);

export const cases: BenchCase[] = [
  unpacking('small', '5,000 small files', (quick) =>
    Array.from({ length: quick ? 500 : 5_000 }, (_, n) => ({
      name: `project/folder${n % 100}/file${n}.txt`,
      data: noise(200 + ((n * 7919) % 7_800), n + 1),
    })),
  ),
  unpacking('stored', 'one stored file of 300 MB', (quick) => [
    { name: 'wheels/large.whl', data: large(quick), method: 0 },
  ]),
  unpacking('deflated', 'one deflated file of 300 MB', (quick) => [
    { name: 'project/model.bin', data: large(quick) },
  ]),
  opening,
  bomb,
];
