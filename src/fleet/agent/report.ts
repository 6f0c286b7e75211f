import os from 'node:os';
import type { RunnerError } from '../../errors.js';
import { keyOf } from '../keys.js';
import { REPORT_EVERY_MS, type ReportedState } from '../state.js';
import type { AgentParts } from './parts.js';
import type { Standing } from './work.js';

/** Numbers of reports that are taken from the record at a time: so it is not written for each report. */
const SEQ_BLOCK = 1_000;

/** Tells the bucket where the station stands: at each change, and every minute. */
export class Reporter {
  readonly #parts: AgentParts;
  readonly #key: string;
  readonly #library: string;
  #seq: number;
  /** Revision of the key in the bucket; undefined until it was read since the last failure. */
  #revision: number | undefined;
  /** How often the line came to stand: what was asked for before the last time says nothing about the bucket now. */
  #lines = 0;
  #told = '';
  #toldAt = -Infinity;

  constructor(parts: AgentParts, library: string) {
    this.#parts = parts;
    this.#key = keyOf('reported', parts.name);
    this.#library = library;
    this.#seq = parts.memory.record.seq;
  }

  /** Whether a report would be told. */
  get isLate(): boolean {
    return this.#parts.clock.now() - this.#toldAt >= REPORT_EVERY_MS * 0.75;
  }

  /** The next report is written whatever it says: the bucket may be another. */
  renew(): void {
    this.#lines++;
    this.#revision = undefined;
    this.#told = '';
  }

  /** @returns the report, when it was written over the line that stands @throws RunnerError `unreachable`, `timeout`, `conflict` */
  async tell(standing: Standing): Promise<ReportedState | undefined> {
    const report = await this.#make(standing);
    const { seq: _seq, at: _at, calls: _calls, ...rest } = report;
    const text = JSON.stringify(rest);
    if (text === this.#told && !this.isLate) return undefined;
    const { connection, signal, clock } = this.#parts;
    const lines = this.#lines;
    try {
      const revision = this.#revision ?? (await this.#read());
      const seq = await this.#nextSeq();
      // The line is another one than when the revision was read: the report is made again.
      if (lines !== this.#lines) return undefined;
      // Only over the report that was written before it: a report that was late on its way must not replace a newer one.
      const stored = { ...report, seq };
      const written = await connection.values.put(this.#key, stored, { revision, signal });
      if (lines !== this.#lines) return undefined;
      this.#revision = written;
      this.#told = text;
      this.#toldAt = clock.now();
      return stored;
    } catch (error) {
      this.#revision = undefined; // it may have been stored
      throw error;
    }
  }

  async #read(): Promise<number> {
    const { connection, signal } = this.#parts;
    const stored = await connection.values.get(this.#key, { signal });
    const { seq } = (stored?.value ?? {}) as Partial<ReportedState>;
    // A new disk under an old name: what it says is newer all the same.
    if (typeof seq === 'number' && Number.isSafeInteger(seq) && seq > this.#seq) this.#seq = seq;
    return stored?.revision ?? 0;
  }

  async #nextSeq(): Promise<number> {
    this.#seq += 1;
    const { memory } = this.#parts;
    if (this.#seq >= memory.record.seq) await memory.change({ seq: this.#seq + SEQ_BLOCK });
    return this.#seq;
  }

  async #make({ rev, state, reason, code, progress }: Standing): Promise<ReportedState> {
    const { station, memory, plant, name, clock, signal } = this.#parts;
    const serving = Object.entries(await station.serving({ signal }));
    const deployed = await station.deployed({ signal });
    const calls = await station.calls({ signal });
    return {
      ...{ rev, seq: 0, plant, station: name, state },
      ...(reason !== undefined && { reason: reason.slice(0, 2_000) }),
      ...(code !== undefined && { code }),
      serving: Object.fromEntries(serving.map(([product, one]) => [product, `${one.name}@${one.version}`])),
      on_trial: serving.filter(([, { isOnTrial }]) => isOnTrial).map(([product]) => product),
      deployed: Object.fromEntries(deployed.map((one) => [`${one.name}@${one.version}`, one.digest ?? ''])),
      quarantined: Object.fromEntries(memory.barred().map((ref) => [ref, memory.barOn(ref)?.reason ?? ''])),
      ...(memory.wordsRev > 0 && { words_rev: memory.wordsRev }),
      host: {
        ...{ name: os.hostname(), platform: process.platform, arch: process.arch },
        ...{ node: process.versions.node, library: this.#library },
      },
      ...(Object.keys(calls).length > 0 && { calls }),
      ...(progress !== undefined && { progress }),
      at: clock.local().iso,
    };
  }
}

/** What the report says, of what the work stands at and of what was heard. */
export function standingOf(
  work: Standing,
  heard: {
    refusal: RunnerError | undefined;
    isGone: boolean;
    guard: RunnerError | undefined;
    left: ReadonlyMap<string, string>;
  },
): Standing {
  const { refusal, isGone, guard, left } = heard;
  const { rev } = work;
  if (guard) return { rev, state: 'failed', reason: guard.message, code: guard.code };
  if (refusal && ['converged', 'idle', 'on_trial'].includes(work.state))
    return { rev, state: 'refused', reason: refusal.message, code: refusal.code };
  const notes = [
    ...(work.reason === undefined ? [] : [work.reason]),
    ...[...left].map(
      ([product, ref]) => `${product} is not served: ${ref} has a bar, and there is no earlier version`,
    ),
    ...(isGone
      ? ['the bucket has no desired state for this station: it goes on with the last one it accepted']
      : []),
  ];
  return { ...work, ...(notes.length > 0 && { reason: notes.join('; ') }) };
}
