import type * as Jetstream from '@nats-io/jetstream';
import type * as Kv from '@nats-io/kv';
import type * as Transport from '@nats-io/transport-node';
import { requirePeer } from '../../assets.js';

/** The client of NATS: three optional peers. */
export interface NatsPeers {
  transport: typeof Transport;
  jetstream: typeof Jetstream;
  kv: typeof Kv;
}

const PEERS = ['@nats-io/transport-node', '@nats-io/jetstream', '@nats-io/kv'] as const;

/** @throws RunnerError `invalid_params` where one of them is not installed */
export function loadNats(call: string, load?: (name: string) => unknown): NatsPeers {
  const [transport, jetstream, kv] = PEERS.map((name) =>
    requirePeer(call, name, { load, install: PEERS.join(' ') }),
  );
  return { transport, jetstream, kv } as NatsPeers;
}
