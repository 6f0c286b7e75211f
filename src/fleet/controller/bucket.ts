import type { KeyObject } from 'node:crypto';
import type { OperationOptions } from '../../abort.js';
import { asFailure, RunnerError } from '../../errors.js';
import { nodeCrypto } from '../../node-crypto.js';
import { readPrivateKey } from '../../package/keys.js';
import { CONTROLLER, keyOf, OFFLINE_KEY } from '../keys.js';
import type { FleetConnection } from '../ports.js';
import { refOf } from '../state/refs.js';
import { keyOfState, signState, trustedKeys, type SignedStates } from '../state/signing.js';
import type { DesiredState, RolloutState } from '../state.js';
import { FleetMemory, KINDS, type LostState } from './memory.js';
import type { StateKeys } from './types.js';
import { barOn, type FleetView } from './view.js';

type WriteOptions = OperationOptions & { revision?: number };

/** The bucket, as controllers and operators use it: read into a memory, written signed and by compare-and-set. */
export class Bucket {
  readonly memory: FleetMemory;
  readonly #connection: FleetConnection;
  readonly #privateKey: string | KeyObject | undefined;
  readonly #now: () => number;

  constructor(connection: FleetConnection, o: StateKeys & { plant: string; now: () => number }) {
    const { privateKey, publicKeys = [], plant } = o;
    const own = privateKey === undefined ? [] : [nodeCrypto().createPublicKey(readPrivateKey(privateKey))];
    this.memory = new FleetMemory({ plant, keys: trustedKeys([...own, ...publicKeys]) });
    this.#connection = connection;
    this.#privateKey = privateKey;
    this.#now = o.now;
  }

  view(term: number): FleetView {
    return this.memory.view({ term, now: this.#now(), at: new Date().toISOString() });
  }

  /** Reads everything. */
  async list(signal?: AbortSignal): Promise<void> {
    for (const kind of KINDS) {
      const { mark } = this.memory;
      const all = await this.#connection.values.list(`${kind}.`, signal ? { signal } : {});
      this.memory.takeAll(kind, all, this.#now(), mark);
    }
  }

  /** Reads one key. */
  async read(key: string, o: OperationOptions = {}): Promise<void> {
    const stored = await this.#connection.values.get(key, o);
    if (stored) this.memory.take(stored, this.#now());
  }

  /** Revision at which a state is written that was decided by what is known now. */
  revisionOf<K extends keyof SignedStates>(kind: K, state: SignedStates[K]): number {
    return this.memory.revisionOf(keyOfState(kind, state));
  }

  /**
   * Signs and writes, if the key is still as it was read, or as it was at `revision`: a word that came since a state was decided makes
   * the known revision newer than what it was decided by.
   *
   * @throws RunnerError `conflict` when it is not
   */
  async write<K extends keyof SignedStates>(
    kind: K,
    state: SignedStates[K],
    { revision: decidedAt, ...o }: WriteOptions = {},
  ): Promise<void> {
    if (this.#privateKey === undefined) {
      throw new RunnerError(
        'invalid_params',
        `Without a private key the ${kind} cannot be written: give privateKey`,
        {
          details: { path: 'privateKey' },
        },
      );
    }
    const { key, value } = signState(kind, state, this.#privateKey);
    const revision = await this.#connection.values.put(key, value, {
      ...o,
      revision: decidedAt ?? this.memory.revisionOf(key),
    });
    const written = JSON.parse(value.body) as SignedStates[K]; // as a follower reads it
    this.memory.wrote(kind, key, { state: written, signed: value }, revision);
  }

  /** The same for a desired state. A state that cannot be written, such as one of too much text, holds up no other station. */
  async writeDesired(
    state: DesiredState,
    onRefused: (error: RunnerError) => void,
    o: WriteOptions = {},
  ): Promise<void> {
    try {
      await this.write('desired', state, o);
    } catch (error) {
      const failure = asFailure(error, `write the desired state of ${state.station}`);
      if (failure.retryable) throw failure;
      this.memory.refuse(state.station, failure.message);
      onRefused(failure);
    }
  }

  /** Writes back what the server has lost. */
  async restore({ key, value, revision }: LostState): Promise<void> {
    const stored = await this.#connection.values.put(key, value, { revision });
    this.memory.restored(key, stored);
  }

  /** Whether a version is barred, asked of the server. */
  async isBarred({ name, version }: { name: string; version: string }): Promise<boolean> {
    await this.read(keyOf('bar', name, version));
    return barOn(this.view(0), refOf(name, version)) !== undefined;
  }

  /** Publishes where a rollout stands. */
  async tell({ rollout, rev, state, wave, reason, order }: RolloutState): Promise<void> {
    const body = {
      ...{ kind: 'rollout', rollout, state, wave: wave + 1, waves: order.waves.length },
      ...{ name: order.name, version: order.version, ...(reason !== undefined && { reason }) },
    };
    await this.#connection.events.publish(CONTROLLER, body, { id: `${CONTROLLER}/${rollout}/${rev}` });
  }

  /** Writes down which stations cannot be reached. */
  async tellOffline(stations: readonly string[]): Promise<void> {
    await this.#connection.values.put(OFFLINE_KEY, { stations });
  }
}
