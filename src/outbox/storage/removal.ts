import { bytesOf, envelopeIn, markIn, type Envelope } from './envelope.js';
import { asideKey, dueKey, indexIn, rangeOf, recordKey } from './keys.js';
import type { Draft, Placed } from './draft.js';
import type { RecordStore } from './record-store.js';

/** Which records of a priority to remove. They go in the order in which they came. */
export interface RemovalRule {
  digit: number;
  /** Stop when this many bytes are removed. */
  bytes: number;
  /** Stop at a record that was recorded at this time or later: Unix time in milliseconds. */
  before: number;
  /** By age: when it is looked, Unix time in milliseconds. A record whose clock was not set has the age of the next one whose clock was. */
  now?: number;
  /** Whether also those that wait for their delivery go. */
  undelivered: boolean;
}

/** A record that is to go. */
interface Candidate extends Placed {
  isDue: boolean;
  /** Its mark. */
  stored: Buffer | undefined;
  digest: string | undefined;
}

/** What is to be removed of one priority, as it was read. */
export interface RemovalPlan {
  digit: number;
  /** Records before this index are removed, but for those that stay. */
  end: number;
  go: Candidate[];
  /** Set aside, or about what was given up: they go when they are delivered. */
  stay: Omit<Candidate, 'digest'>[];
}

/**
 * No clock that is set shows an earlier time. One without a battery begins in 1970, 2000 or the year of its firmware, and is put
 * right once there is a network: what a station recorded until then would be decades old, and given up before it can be delivered.
 */
const LEAST_TIME = Date.UTC(2024, 0, 1);

/** Most records of one step, so that others have their turn. */
const STEP = 2_000;

/** Reads what a rule removes. */
export async function planRemoval(store: RecordStore, rule: RemovalRule): Promise<RemovalPlan> {
  const { digit } = rule;
  const { firstKept = 0, dueFrom = 0 } = store.state.priorities[digit] ?? {};
  const plan: RemovalPlan = { digit, end: firstKept, go: [], stay: [] };
  const marks = await firstOf(store, `d${digit}`, firstKept);
  const aside = await firstOf(store, 'a', firstKept);
  let bytes = 0;
  let count = 0;
  const isSet = (time: number) => rule.now === undefined || rule.now < LEAST_TIME || time >= LEAST_TIME;
  const unset: Held[] = [];
  for await (const [key, value] of store.entries(rangeOf(`r${digit}`, firstKept))) {
    const index = indexIn(key);
    const envelope = envelopeIn(value);
    const stored = marks.get(index);
    const isDue = stored ? !('isSettled' in markIn(stored)) : index >= dueFrom;
    if (isDue && !rule.undelivered) break;
    if (count++ >= STEP || bytes >= rule.bytes || envelope.recorded_at >= rule.before) break;
    unset.push({ digit, index, bytes: bytesOf(value, envelope), isDue, stored, envelope });
    if (!isSet(envelope.recorded_at)) continue;
    for (const one of unset.splice(0)) bytes += take(plan, one, aside);
  }
  return plan;
}

/** A record that goes, or stays, with the next one whose time is known. */
type Held = Omit<Candidate, 'digest'> & { envelope: Envelope };

/** @returns the bytes that go */
function take(
  plan: RemovalPlan,
  { envelope, ...candidate }: Held,
  aside: ReadonlyMap<number, unknown>,
): number {
  plan.end = candidate.index + 1;
  if (aside.has(candidate.index) || (candidate.isDue && envelope.kind === 'shed')) {
    plan.stay.push(candidate);
    return 0;
  }
  plan.go.push({ ...candidate, digest: envelope.picture?.digest });
  return candidate.bytes;
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
    draft.unmarkDue(candidate, candidate.stored);
    given.records++;
    given.bytes += candidate.bytes;
  }
  draft.raiseDueFrom(plan.digit, plan.end);
  for (const { digit, index, stored } of plan.go) draft.unmark(digit, index, stored);
  for (const { digit, index, isDue, stored } of plan.stay) {
    if (!isDue) draft.unmark(digit, index, stored);
    else if (!stored) draft.setDue(digit, index, { attempts: 0, notBefore: 0 });
  }
  const counts = draft.state.priorities[plan.digit];
  if (counts) {
    counts.firstKept = Math.max(counts.firstKept, plan.end);
    counts.shed.records += given.records;
    counts.shed.bytes += given.bytes;
  }
  draft.state.stragglers.push(...plan.stay.map(({ digit, index }) => ({ digit, index })));
  draft.tellRemoval(now);
  return given;
}

/** Reads which of the records that stayed wait for nothing any more. */
export async function planStragglers(store: RecordStore): Promise<Candidate[]> {
  const go: Candidate[] = [];
  for (const { digit, index } of store.state.stragglers) {
    const keys = [dueKey(digit, index), asideKey(index), recordKey(digit, index)];
    const [due, aside, value] = await store.database.getMany(keys);
    if (due ?? aside) continue;
    const envelope = value && envelopeIn(value);
    const bytes = value && envelope ? bytesOf(value, envelope) : 0;
    go.push({ digit, index, bytes, isDue: false, stored: undefined, digest: envelope?.picture?.digest });
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

/** Entries with a prefix by the index that ends their key, from one on: as many as a step looks at. */
async function firstOf(store: RecordStore, prefix: string, from: number): Promise<Map<number, Buffer>> {
  const found = new Map<number, Buffer>();
  const range = { ...rangeOf(prefix, from), limit: STEP + 1 };
  for await (const [key, value] of store.entries(range)) found.set(indexIn(key), value);
  return found;
}
