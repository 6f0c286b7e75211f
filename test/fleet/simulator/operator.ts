import { createPrivateKey } from 'node:crypto';
import { keyOf } from '../../../src/fleet/keys.js';
import { signState } from '../../../src/fleet/state/signing.js';
import type { BarState, DesiredState, GroupState, SignedState } from '../../../src/fleet/state.js';
import { generateSigningKeys } from '../../../src/signing/index.js';
import type { SimServer } from './server.js';
import type { Catalogue } from './station.js';
import type { World } from './world.js';

export const PLANT = 'north';
export const GROUP = 'first';
const keys = generateSigningKeys();
const stranger = generateSigningKeys();
export const { publicKey } = keys;
const privateKey = createPrivateKey(keys.privateKey);

/** How often it looks whether the bucket still says what it wants. */
const LOOK_MS = 15_000;

/**
 * Stands in for a controller: it holds what each station is to serve, writes it, and writes it again where the bucket lost it. Now
 * and then somebody else writes what no station may act on: an older state, a state of another station, one of another key.
 */
export class Operator {
  readonly #world: World;
  readonly #server: SimServer;
  readonly #catalogue: Catalogue;
  readonly desired = new Map<string, DesiredState>();
  /** What each revision asked for, by `<station>/<rev>`. */
  readonly asked = new Map<string, Record<string, string>>();
  readonly bars = new Map<string, BarState>();
  #group: GroupState = { rev: 1, plant: PLANT, group: GROUP, stations: [] };
  readonly #signed = new Map<string, SignedState>();
  readonly #older: SignedState[] = [];
  readonly #stations: readonly string[];

  constructor(world: World, server: SimServer, catalogue: Catalogue, stations: readonly string[]) {
    this.#world = world;
    this.#server = server;
    this.#catalogue = catalogue;
    this.#stations = stations;
    this.#group.stations = [...stations];
    this.#sign('group', this.#group);
    this.#every();
  }

  /** Wants a station to serve its products by these versions. */
  want(station: string, products: Record<string, string>): void {
    const before = this.desired.get(station);
    const refs = new Set(Object.values(products));
    const packages = Object.fromEntries(
      [...refs].map((ref) => [ref, { digest: this.#catalogue.get(ref)?.digest ?? '0'.repeat(64) }]),
    );
    const state = { rev: (before?.rev ?? 0) + 1, plant: PLANT, station, packages, products };
    this.desired.set(station, state);
    this.asked.set(`${station}/${state.rev}`, products);
    this.#sign('desired', state);
    this.look();
  }

  bar(ref: string, lifted: boolean): void {
    const at = ref.lastIndexOf('@');
    const [name, version] = [ref.slice(0, at), ref.slice(at + 1)];
    const rev = (this.bars.get(ref)?.rev ?? 0) + 1;
    const state = { rev, plant: PLANT, name, version, reason: 'drift', by: 'anna', at: 'now', lifted };
    this.bars.set(ref, state);
    this.#world.tell(`operator: ${lifted ? 'lifts the bar on' : 'bars'} ${ref}`);
    this.#sign('bar', state);
    this.look();
  }

  /** A window for the group: hours of the day, or none. */
  window(window: GroupState['window']): void {
    this.#group = { ...this.#group, rev: this.#group.rev + 1 };
    if (window) this.#group.window = window;
    else delete this.#group.window;
    this.#sign('group', this.#group);
    this.look();
  }

  /** Somebody else writes to the bucket, past its permissions. */
  attack(): void {
    const station = this.#world.pick(this.#stations);
    const key = keyOf('desired', station);
    const state = this.desired.get(station) ?? { rev: 1, plant: PLANT, station, packages: {}, products: {} };
    const forged = { ...state, rev: state.rev + 5, products: {}, packages: {} };
    const other = this.#world.pick([...this.#signed.values()]);
    const words: unknown[] = [
      signState('desired', forged, stranger.privateKey).value,
      { ...signState('desired', forged, stranger.privateKey).value, key: keys.keyId },
      other,
      ...this.#older.slice(-2),
      { body: 'x', key: 1 },
      'nonsense',
    ];
    this.#world.tell(`attack on ${key}`);
    if (this.#server.isUp) this.#server.put(key, this.#world.pick(words));
  }

  /** Writes what the bucket does not say. */
  look(): void {
    if (!this.#server.isUp) return;
    for (const [key, signed] of this.#signed) {
      const { value } = this.#server.get(key) ?? {};
      if ((value as SignedState | undefined)?.signature !== signed.signature) this.#server.put(key, signed);
    }
    for (const { key } of this.#server.list('desired.')) if (!this.#signed.has(key)) this.#server.delete(key);
  }

  #sign<K extends 'desired' | 'group' | 'bar'>(kind: K, state: Parameters<typeof signState<K>>[1]): void {
    const { key, value } = signState(kind, state, privateKey);
    const before = this.#signed.get(key);
    if (before) this.#older.push(before);
    this.#signed.set(key, value);
  }

  #every(): void {
    this.#world.after(LOOK_MS, () => {
      this.look();
      this.#every();
    });
  }
}
