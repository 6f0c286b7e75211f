import type * as Jetstream from '@nats-io/jetstream';
import type * as Kv from '@nats-io/kv';
import type * as Transport from '@nats-io/transport-node';
import { loadPeer } from '../../assets.js';
import { RunnerError } from '../../errors.js';

/** The client of NATS: three optional peers. */
export interface NatsPeers {
  transport: typeof Transport;
  jetstream: typeof Jetstream;
  kv: typeof Kv;
}

const PEERS = ['@nats-io/transport-node', '@nats-io/jetstream', '@nats-io/kv'] as const;

/** @throws RunnerError `invalid_params` where one of them is not installed */
export function loadNats(call: string, load: (name: string) => unknown = loadPeer): NatsPeers {
  const [transport, jetstream, kv] = PEERS.map((name) => {
    try {
      return load(name);
    } catch (cause) {
      throw new RunnerError(
        'invalid_params',
        `${call} needs the package ${name}, which is not installed: npm install ${PEERS.join(' ')}`,
        { cause, details: { path: name } },
      );
    }
  });
  return { transport, jetstream, kv } as NatsPeers;
}
