/**
 * The process that is killed: records verdicts, delivers them to a receiver that is a file, and says in another file which records
 * it was promised. Runs until the signal.
 */
import { appendFileSync, closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import path from 'node:path';
import { Outbox } from '../../src/outbox/index.js';
import { pictureOf, resultOf } from './results.js';

const [, , folder = '', every = '4'] = process.argv;
const promised = path.join(folder, 'promised');
const received = path.join(folder, 'received');

/** Ids of the last lines: more than can be under way at a kill. */
const REMEMBERED_BYTES = 64 << 10;

/**
 * What the receiver got last; it takes a second record with the same id for the first. What comes twice from before that is doubled in
 * the file, and found there.
 */
const has = new Set<string>();
if (existsSync(received)) {
  const file = openSync(received, 'r');
  const { size } = fstatSync(file);
  const tail = Buffer.alloc(Math.min(size, REMEMBERED_BYTES));
  readSync(file, tail, 0, tail.length, size - tail.length);
  closeSync(file);
  for (const line of tail.toString().split('\n')) has.add(line.split(' ')[1] ?? '');
}

const outbox = await Outbox.open(path.join(folder, 'outbox'), {
  station: 'ws',
  retentionDays: 0,
  maxPending: 1_000,
  pictures: { keep: 'none' }, // those that are encoded already are kept
});
let number = 0;

async function record(): Promise<void> {
  const verdict = number++ % 5 === 0 ? 'NG' : 'OK';
  const pictures = number % Number(every) === 0 ? [pictureOf(`${process.pid} ${number}`)] : [];
  const facts = { productId: 'A', stepIndex: number % 3, pictures };
  const { index, ingestId } = await outbox.record(resultOf(verdict), facts);
  appendFileSync(promised, `${index} ${ingestId}\n`);
}

async function deliver(): Promise<void> {
  for (const lane of ['records', 'pictures'] as const) {
    const { items } = await outbox.queue.due(lane, { limit: 50 });
    for (const { index, ingestId, priority, picture } of items) {
      if (picture) readFileSync(picture.file);
      if (has.has(ingestId)) continue;
      has.add(ingestId);
      appendFileSync(received, `${index} ${ingestId} ${priority}\n`);
    }
    if (items.length > 0) await outbox.queue.acknowledge(items);
  }
}

process.stdout.write('ready\n');
const isDraining = process.argv[4] === 'drain';
if (isDraining) {
  for (;;) {
    const { due } = await outbox.status();
    if (Object.values(due).every(({ records }) => records === 0)) break;
    await deliver();
  }
  await outbox.close();
} else {
  const recording = async () => {
    for (;;) await Promise.all(Array.from({ length: 25 }, record));
  };
  const delivering = async () => {
    for (;;) {
      await deliver();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all([recording(), delivering()]);
}
