import { bytesOf, envelopeIn } from './envelope.js';
import { asideKey, dueKey, indexIn, rangeOf } from './keys.js';
import type { Draft, Placed } from './draft.js';
import type { RecordStore } from './record-store.js';

/** Which records of a priority to remove. They go in the order in which they came. */
export interface RemovalRule {
  digit: number;
  /** Stop when this many bytes are removed. */
  bytes: number;
  /** Stop at a record that was recorded at this time or later: Unix time in milliseconds. */
  before: number;
  /** Whether also those that wait for their delivery go. */
  undelivered: boolean;
}

/** A record that is to go. */
interface Candidate extends Placed {
  isDue: boolean;
  digest: string | undefined;
}

/** What is to be removed of one priority, as it was read. */
export interface RemovalPlan {
  digit: number;
  /** Records before this index are removed, but for those that stay. */
  end: number;
  go: Candidate[];
  /** Set aside, or about what was given up: they go when they are delivered. */
  stay: number[];
}

/** Most records of one step, so that others have their turn. */
const STEP = 2_000;

/** Reads what a rule removes. */
export async function planRemoval(store: RecordStore, rule: RemovalRule): Promise<RemovalPlan> {
  const { digit } = rule;
  const { firstKept = 0 } = store.state.priorities[digit] ?? {};
  const plan: RemovalPlan = { digit, end: firstKept, go: [], stay: [] };
  const due = await indexesOf(store, `d${digit}`, firstKept);
  const aside = await indexesOf(store, 'a', firstKept);
  let bytes = 0;
  let count = 0;
  for await (const [key, value] of store.entries(rangeOf(`r${digit}`, firstKept))) {
    const index = indexIn(key);
    const envelope = envelopeIn(value);
    const isDue = due.has(index);
    if (isDue && !rule.undelivered) break;
    if (count++ >= STEP || bytes >= rule.bytes || envelope.recorded_at >= rule.before) break;
    plan.end = index + 1;
    if (aside.has(index) || (isDue && envelope.kind === 'shed')) {
      plan.stay.push(index);
      continue;
    }
    const size = bytesOf(value, envelope);
    bytes += size;
    plan.go.push({ digit, index, bytes: size, isDue, digest: envelope.picture?.digest });
  }
  return plan;
}

/** Puts a removal into a batch. Answers what was given up before it was delivered. */
export function applyRemoval(
  draft: Draft,
  plan: RemovalPlan,
  now: number,
): { records: number; bytes: number } {
  const given = { records: 0, bytes: 0 };
  if (plan.go.length === 0 && plan.stay.length === 0) return given;
  for (const candidate of plan.go) {
    draft.remove(candidate);
    if (!candidate.isDue) continue;
    draft.unmarkDue(candidate);
    given.records++;
    given.bytes += candidate.bytes;
  }
  const counts = draft.state.priorities[plan.digit];
  if (counts) {
    counts.firstKept = Math.max(counts.firstKept, plan.end);
    counts.shed.records += given.records;
    counts.shed.bytes += given.bytes;
  }
  draft.state.stragglers.push(...plan.stay.map((index) => ({ digit: plan.digit, index })));
  draft.tellRemoval(now);
  return given;
}

/** Reads which of the records that stayed wait for nothing any more. */
export async function planStragglers(store: RecordStore): Promise<Candidate[]> {
  const go: Candidate[] = [];
  for (const { digit, index } of store.state.stragglers) {
    const [due, aside, value] = await store.database.getMany([
      dueKey(digit, index),
      asideKey(index),
      rangeOf(`r${digit}`, index).gte,
    ]);
    if (due ?? aside) continue;
    const envelope = value && envelopeIn(value);
    const bytes = value && envelope ? bytesOf(value, envelope) : 0;
    go.push({ digit, index, bytes, isDue: false, digest: envelope?.picture?.digest });
  }
  return go;
}

/** Puts the removal of those into a batch. */
export function applyStragglers(draft: Draft, go: readonly Candidate[], now: number): void {
  if (go.length === 0) return;
  for (const candidate of go) draft.remove(candidate);
  const gone = new Set(go.map(({ index }) => index));
  draft.state.stragglers = draft.state.stragglers.filter(({ index }) => !gone.has(index));
  draft.tellRemoval(now);
}

/** Indexes at the ends of the keys with a prefix, from one on: as many as a step looks at. */
async function indexesOf(store: RecordStore, prefix: string, from: number): Promise<Set<number>> {
  const indexes = new Set<number>();
  const range = { ...rangeOf(prefix, from), limit: STEP + 1 };
  for await (const key of store.database.keys(range)) indexes.add(indexIn(key));
  return indexes;
}
