/**
 * Which records wait for their delivery. They are delivered in order, so that an index says it for nearly all of them: a record costs
 * nothing for it when it is written, and a delivery writes the index alone. Marks say what differs.
 */
import { markIn, type DueMark, type Mark } from './envelope.js';
import { dueKey, indexIn, rangeOf, recordKey } from './keys.js';
import type { Draft } from './draft.js';
import type { RecordStore } from './record-store.js';

/** A record that waits, as it was read. */
export interface Waiting {
  index: number;
  mark: DueMark;
  /** The record as it is stored. */
  value: Buffer;
}

/** Most records before which the index of what waits is moved on in one batch. */
const STEP = 2_000;
const UNMARKED: DueMark = { attempts: 0, notBefore: 0 };

/** Records of a priority that wait, in order. */
export async function* waitingIn(store: RecordStore, digit: number): AsyncGenerator<Waiting> {
  const dueFrom = dueFromOf(store, digit);
  for await (const [key, marked] of store.entries(rangeOf(`d${digit}`, 0, dueFrom))) {
    const index = indexIn(key);
    const mark = markIn(marked);
    const value = await store.database.get(recordKey(digit, index));
    if (value && !('isSettled' in mark)) yield { index, mark, value };
  }
  for await (const { index, value, mark = UNMARKED } of recordsWithMarks(store, digit, dueFrom)) {
    if ('isSettled' in mark) continue;
    // Delivered since this began.
    if (mark === UNMARKED && index < dueFromOf(store, digit)) continue;
    yield { index, mark, value };
  }
}

/** Marks of a priority that wait for their retry. */
export async function* retriesIn(
  store: RecordStore,
  digit: number,
): AsyncGenerator<{ index: number; mark: DueMark }> {
  for await (const [key, value] of store.entries(rangeOf(`d${digit}`))) {
    const mark = markIn(value);
    if (!('isSettled' in mark) && mark.notBefore > 0) yield { index: indexIn(key), mark };
  }
}

/** What has to be read to settle some records of a priority. */
export interface SettledRun {
  digit: number;
  /** The first records from the index on from which all waits: each is settled already, is to be now, or has a mark that it waits. */
  run: { index: number; stored: Buffer | undefined }[];
}

/** Reads how far the index of what waits moves on, once these wait no more. */
export async function readRun(
  store: RecordStore,
  digit: number,
  settling: ReadonlySet<number>,
): Promise<SettledRun> {
  const run: SettledRun['run'] = [];
  for await (const { index, stored, mark } of recordsWithMarks(store, digit, dueFromOf(store, digit))) {
    if ((mark === undefined && !settling.has(index)) || run.length === STEP) break;
    run.push({ index, stored });
  }
  return { digit, run };
}

/**
 * Moves the index of what waits on, behind the records at its beginning that are settled in this batch or before. A record that waits
 * for its retry has its mark: the index goes on behind it too, so that a picture that fails for days leaves no marks of all behind it.
 */
export function moveOn(draft: Draft, { digit, run }: SettledRun): void {
  for (const { index, stored } of run) {
    if (!draft.isDue(digit, index, stored)) draft.unmark(digit, index, stored);
    else if (!draft.current(dueKey(digit, index), stored)) return;
    draft.raiseDueFrom(digit, index + 1);
  }
}

/** Records of a priority from an index on, each with its mark. */
async function* recordsWithMarks(
  store: RecordStore,
  digit: number,
  from: number,
): AsyncGenerator<{ index: number; value: Buffer; stored: Buffer | undefined; mark: Mark | undefined }> {
  const marks = store.entries(rangeOf(`d${digit}`, from));
  try {
    let next = await marks.next();
    for await (const [key, value] of store.entries(rangeOf(`r${digit}`, from))) {
      const index = indexIn(key);
      while (next.done !== true && indexIn(next.value[0]) < index) next = await marks.next();
      const isOfIt = next.done !== true && indexIn(next.value[0]) === index;
      const stored = isOfIt ? (next.value as [string, Buffer])[1] : undefined;
      yield { index, value, stored, mark: stored && markIn(stored) };
    }
  } finally {
    await marks.return(undefined);
  }
}

function dueFromOf(store: RecordStore, digit: number): number {
  return store.state.priorities[digit]?.dueFrom ?? 0;
}
