import type { KeyObject } from 'node:crypto';
import { RunnerError } from '../../errors.js';
import { nodeCrypto } from '../../node-crypto.js';
import { keyIdOf, readPrivateKey, readPublicKey } from '../../package/keys.js';
import { keyOf } from '../keys.js';
import type { BarState, DesiredState, GroupState, RolloutState, SignedState } from '../state.js';
import { checked, checkPlace, untrusted } from './read.js';
import { faultOf, MAX_BODY_CHARS, schemas } from './values.js';

/** First line of what is signed: a signature that was made for something else cannot be used here. */
const FORMAT = 'procvision-fleet-state-v1';

/** Which states are signed. */
export interface SignedStates {
  desired: DesiredState;
  group: GroupState;
  bar: BarState;
  rollout: RolloutState;
}

/** Keys of controllers that a station trusts, by identifier. */
export type TrustedKeys = ReadonlyMap<string, KeyObject>;

/** What a station takes. */
export interface Expected {
  keys: TrustedKeys;
  plant: string;
  /** What was accepted under the key before: an older revision is a replay, and so is another body of the same one. */
  seen?: { rev: number; body: string } | undefined;
}

/** A state that may be acted on. */
export interface AcceptedState<T> {
  state: T;
  /** As it came, to be kept. */
  signed: SignedState;
}

/** @throws RunnerError `invalid_params` for a key that is no Ed25519 public key, or none at all */
export function trustedKeys(publicKeys: readonly (string | KeyObject)[]): TrustedKeys {
  if (publicKeys.length === 0) {
    throw new RunnerError('invalid_params', 'publicKeys must name at least one key of a controller', {
      details: { path: 'publicKeys' },
    });
  }
  return new Map(publicKeys.map(readPublicKey).map((key) => [keyIdOf(key), key]));
}

/** Where a state stands in the bucket: `desired.<station>`, `group.<name>`, `bar.<name>.<version>`, `rollout.<id>`. */
export function keyOfState<K extends keyof SignedStates>(kind: K, state: SignedStates[K]): string {
  return keyOf(kind, ...Object.values(placeOf(kind, state)));
}

/**
 * Signs a state: Ed25519 over a line with the format, a line with the key in the bucket, and the body. A state that was taken to
 * another key, or a desired state that is offered as a bar, fails its check.
 *
 * @throws RunnerError `invalid_params` for a state that a station would refuse, or a key that is none
 */
export function signState<K extends keyof SignedStates>(
  kind: K,
  state: SignedStates[K],
  privateKey: string | KeyObject,
): { key: string; value: SignedState } {
  const body = JSON.stringify(state);
  const fault =
    faultOf(schemas()[kind], JSON.parse(body)) ??
    (body.length > MAX_BODY_CHARS ? `has more than ${MAX_BODY_CHARS} characters as JSON` : undefined);
  if (fault !== undefined) {
    throw new RunnerError('invalid_params', `The ${kind} state cannot be signed: ${fault}. Correct it`, {
      details: { path: kind },
    });
  }
  const key = keyOfState(kind, state);
  const { createPublicKey, sign } = nodeCrypto();
  const secret = readPrivateKey(privateKey);
  const signature = sign(null, messageOf(key, body), secret).toString('base64');
  return { key, value: { body, key: keyIdOf(createPublicKey(secret)), signature } };
}

/** The desired state of a station. @throws RunnerError `untrusted_state` */
export function openDesired(value: unknown, o: Expected & { station: string }): AcceptedState<DesiredState> {
  return open('desired', value, o, { station: o.station });
}

/** A group. @throws RunnerError `untrusted_state` */
export function openGroup(value: unknown, o: Expected & { group: string }): AcceptedState<GroupState> {
  return open('group', value, o, { group: o.group });
}

/** A bar of a version. @throws RunnerError `untrusted_state` */
export function openBar(
  value: unknown,
  o: Expected & { name: string; version: string },
): AcceptedState<BarState> {
  return open('bar', value, o, { name: o.name, version: o.version });
}

/** A state of any kind, by the names in its key. @throws RunnerError `untrusted_state` */
export function openState<K extends keyof SignedStates>(
  kind: K,
  value: unknown,
  o: Expected & { names: readonly string[] },
): AcceptedState<SignedStates[K]> {
  const place = Object.fromEntries(PLACES[kind].map((field, index) => [field, o.names[index] ?? '']));
  return open(kind, value, o, place);
}

function open<K extends keyof SignedStates>(
  kind: K,
  value: unknown,
  { keys, plant, seen }: Expected,
  place: Record<string, string>,
): AcceptedState<SignedStates[K]> {
  const key = keyOf(kind, ...Object.values(place));
  const signed = checked('signed', key, value);
  const known = keys.get(signed.key);
  if (!known)
    throw untrusted(key, `it is signed by the key ${signed.key}, which this station does not trust`);
  // Nothing of the body is parsed before its signature is known to be good.
  const bytes = Buffer.from(signed.signature, 'base64');
  if (!nodeCrypto().verify(null, messageOf(key, signed.body), known, bytes))
    throw untrusted(
      key,
      `its signature does not come from the key ${signed.key}, or was made for another key`,
    );
  const state = checked(kind, key, parsed(key, signed.body));
  checkPlace(key, state, { plant, ...place });
  const { rev, body } = seen ?? { rev: 0, body: '' };
  if (state.rev < rev)
    throw untrusted(key, `its revision ${state.rev} is older than ${rev}, which was accepted`);
  if (state.rev === rev && signed.body !== body)
    throw untrusted(key, `its revision ${rev} was accepted with another content`);
  return { state, signed: { body: signed.body, key: signed.key, signature: signed.signature } };
}

function parsed(key: string, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw untrusted(key, `its body is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
}

/** The fields that make the key, in their order. */
const PLACES = {
  desired: ['station'],
  group: ['group'],
  bar: ['name', 'version'],
  rollout: ['rollout'],
} as const;

function placeOf<K extends keyof SignedStates>(kind: K, state: SignedStates[K]): Record<string, string> {
  const fields = state as unknown as Record<string, string>;
  return Object.fromEntries(PLACES[kind].map((field) => [field, fields[field] ?? '']));
}

function messageOf(key: string, body: string): Buffer {
  return Buffer.from(`${FORMAT}\n${key}\n${body}`);
}
