import { keyOf } from '../../src/fleet/keys.js';
import type { FleetConnection, KeyValuePort } from '../../src/fleet/ports.js';
import type { CallFigures, DesiredState, ReportedState, SignedState } from '../../src/fleet/state.js';
import type { BucketInMemory } from './fleet-bucket.js';

/** What a station does with a version: `accept` it, `fail` it, or never come to an end. */
export type Behaviour = (ref: string) => 'accept' | 'fail' | 'stay';

/**
 * A station that a script plays, to see what a controller makes of its words: it takes over what it is told at once, and reports. The
 * real agent has tests of its own, and the simulator has both.
 */
export class ScriptedStation {
  readonly name: string;
  isOnline = true;
  calls: Record<string, CallFigures> = {};
  readonly report: ReportedState;
  readonly #values: KeyValuePort;
  readonly #behaviour: Behaviour;

  constructor(
    connection: FleetConnection,
    name: string,
    o: { serving?: Record<string, string>; behaviour?: Behaviour } = {},
  ) {
    const { serving = { A: 'check@1.0.0' }, behaviour = () => 'accept' } = o;
    this.name = name;
    this.#values = connection.values;
    this.#behaviour = behaviour;
    this.report = {
      ...{ rev: 0, seq: 0, plant: 'p', station: name, state: 'idle', serving, on_trial: [] },
      deployed: Object.fromEntries(Object.values(serving).map((ref) => [ref, digestOf(ref)])),
      quarantined: {},
      host: { name, platform: 'linux', arch: 'x64', node: 'v20', library: '1' },
      at: '2026-01-01T00:00:00.000Z',
    };
  }

  /** Looks at what it is told, and reports; nothing while it is offline. */
  async look(): Promise<void> {
    if (!this.isOnline) return;
    const stored = await this.#values.get(keyOf('desired', this.name));
    const desired = stored && (JSON.parse((stored.value as SignedState).body) as DesiredState);
    if (desired && desired.rev >= this.report.rev) await this.#follow(desired);
    this.report.seq++;
    if (Object.keys(this.calls).length > 0) this.report.calls = this.calls;
    await this.#values.put(keyOf('reported', this.name), this.report);
  }

  async #follow({ rev, products, packages }: DesiredState): Promise<void> {
    const { report } = this;
    Object.assign(report, { rev, state: 'converged' });
    for (const [id, ref] of Object.entries(products)) {
      const barred = await this.#values.get(keyOf('bar', ...ref.split('@')));
      const behaviour =
        barred && !(barred.value as SignedState).body.includes('lifted') ? 'fail' : this.#behaviour(ref);
      if (behaviour === 'stay') report.state = 'switching';
      else if (behaviour === 'fail')
        Object.assign(report, { state: 'failed', reason: 'its trial failed', code: 'install_failed' });
      else {
        report.serving = { ...report.serving, [id]: ref };
        report.deployed[ref] = packages[ref]?.digest ?? '';
      }
    }
  }
}

/** A digest for a version. */
export function digestOf(ref: string): string {
  return Buffer.from(ref).toString('hex').padEnd(64, '0').slice(0, 64);
}

/** Lets stations look every so often, from now on; the answer ends it. */
export function livePlant(
  bucket: BucketInMemory,
  stations: readonly ScriptedStation[],
  everyMs = 1_000,
): () => void {
  let cancel: () => void = () => undefined;
  const turn = (): void => {
    for (const station of stations) void station.look();
    cancel = bucket.clock.after(everyMs, turn);
  };
  turn();
  return () => {
    cancel();
  };
}
