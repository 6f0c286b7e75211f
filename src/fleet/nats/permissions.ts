import { RunnerError } from '../../errors.js';
import { Door, lazily, must, name, option, type Option } from '../../options.js';
import { CONTROLLER, eventSubject, OFFLINE_KEY, tokenOf } from '../keys.js';
import { changeSubject } from './watch.js';

/** What a user of the server is for. */
export type FleetRole = 'station' | 'controller' | 'source' | 'inspector' | 'administrator';

/** A user of the server. */
export interface FleetUser {
  role: FleetRole;
  /** Name of the station, the controller and so on: as `name` of `connectFleet()`. */
  name: string;
  /** Public nkey (`U…`). */
  key: string;
  /** Group of a station. */
  group?: string;
}

/** What {@link fleetPermissions} takes. */
export interface FleetPermissionsOptions {
  plant: string;
  users: FleetUser[];
  /** Name of the bucket. @defaultValue 'fleet' */
  bucket?: string;
  /** Name of the stream of events. @defaultValue 'events' */
  stream?: string;
}

type FleetPlace = Omit<FleetPermissionsOptions, 'users'>;

const ROLES: readonly string[] = [
  'station',
  'controller',
  'source',
  'inspector',
  'administrator',
] satisfies FleetRole[];

export const doors = /* @__PURE__ */ lazily(() => ({
  permissions: new Door<FleetPermissionsOptions>('fleetPermissions(options)', {
    plant: name(),
    users: must(
      option<FleetUser[]>(
        'users',
        `must be a list of { role, name, key, group? }: role ${ROLES.join(', ')}, key a public nkey (U and 55 letters and digits)`,
        (value) => Array.isArray(value) && value.every(isUser),
      ),
    ),
    bucket: plainName(),
    stream: plainName(),
  }),
}));

/** Names of buckets and streams stand in subjects as they are. */
function plainName(): Option<string | undefined> {
  const fits = (value: unknown) => typeof value === 'string' && /^[A-Za-z0-9_-]+$/.test(value);
  return option('plainName', 'must be letters, digits, - and _', fits);
}

function isUser(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { role, name: own, key, group, ...more } = value as Record<string, unknown>;
  const isText = (one: unknown) => typeof one === 'string' && one !== '';
  return (
    ROLES.includes(role as string) &&
    isText(own) &&
    typeof key === 'string' &&
    /^U[A-Z2-7]{55}$/.test(key) &&
    (group === undefined || isText(group)) &&
    Object.keys(more).length === 0
  );
}

/** Subjects that a user may publish and subscribe; with `answers`, also answer the user that asked. */
export interface FleetPermissions {
  publish: string[];
  subscribe: string[];
  answers: boolean;
}

/** Queue group of inspections: a station may subscribe as a member of it alone, so that it does not listen to what others are asked. */
export const INSPECT_QUEUE = 'inspect';

/** The subject of inspections of a product id. */
export function inspectSubject(plant: string, productId: string): string {
  return `inspect.${tokenOf(plant)}.${tokenOf(productId)}`;
}

/**
 * What a user may do; all else is denied. A station may create no consumer: its messages could be delivered to the subjects of others.
 */
export function permissionsOf(
  { role, name, group }: Omit<FleetUser, 'key'>,
  { plant, bucket = 'fleet', stream = 'events' }: FleetPlace,
): FleetPermissions {
  const me = tokenOf(name);
  const write = (key: string) => `$KV.${bucket}.${key}`;
  const get = (key: string) => `$JS.API.DIRECT.GET.KV_${bucket}.$KV.${bucket}.${key}`;
  const changes = (key: string) => changeSubject(bucket, key);
  const inspect = `inspect.${tokenOf(plant)}.*`;
  const inbox = `_INBOX_${me}.>`;
  switch (role) {
    case 'station': {
      const reads = [`desired.${me}`, 'bar.>', ...(group === undefined ? [] : [`group.${tokenOf(group)}`])];
      return {
        publish: [
          write(`reported.${me}`),
          `events.${me}`,
          ...[...reads, `reported.${me}`].map(get),
          `$JS.API.DIRECT.GET.${stream}.events.${me}`,
        ],
        subscribe: [inbox, ...reads.map(changes), `${inspect} ${INSPECT_QUEUE}`, '$SRV.>'],
        answers: true,
      };
    }
    case 'controller':
      return {
        publish: [
          ...['desired', 'group', 'bar', 'rollout', 'lease', 'term'].map((kind) => write(`${kind}.>`)),
          write(OFFLINE_KEY),
          eventSubject(CONTROLLER),
          get('>'),
          ...[`KV_${bucket}`, stream].flatMap((one) => [
            `$JS.API.STREAM.INFO.${one}`,
            `$JS.API.CONSUMER.CREATE.${one}.>`,
          ]),
          `$JS.API.DIRECT.GET.${stream}.events.*`,
          '$SRV.>',
        ],
        subscribe: [inbox, changes('>'), 'events.*'],
        answers: false,
      };
    case 'source':
      return {
        publish: [get('desired.>'), get('bar.>')],
        subscribe: [inbox, changes('desired.>'), changes('bar.>')],
        answers: false,
      };
    case 'inspector':
      return { publish: [inspect, '$SRV.>'], subscribe: [inbox], answers: false };
    case 'administrator':
      return { publish: ['>'], subscribe: ['>'], answers: true };
  }
}

/**
 * The users with what each may do, as a part of a server's configuration (`include "fleet-users.conf"`). A user is known by its public
 * nkey: no secret is in it.
 *
 * @throws RunnerError `invalid_params`
 */
export function fleetPermissions(options: FleetPermissionsOptions): string {
  doors().permissions.check(options);
  const { users, ...place } = options;
  for (const field of ['name', 'key'] as const) refuseTwice(users, field);
  const entries = users.map((user) => {
    const { publish, subscribe, answers } = permissionsOf(user, place);
    return [
      `    # ${user.role} ${JSON.stringify(user.name)}`,
      `    { nkey: ${user.key}`,
      '      permissions: {',
      `        publish: { allow: ${list(publish)} }`,
      `        subscribe: { allow: ${list(subscribe)} }`,
      ...(answers ? ['        allow_responses: { max: 1, expires: "10m" }'] : []),
      '      }',
      '    }',
    ].join('\n');
  });
  // All stations log in at once after a restart: the server's own limit is 2 s.
  return `authorization {\n  timeout: 10\n  users: [\n${entries.join('\n')}\n  ]\n}\n`;
}

/** A name is an inbox, and a key a user: of two users with one, each would be told what is for the other. */
function refuseTwice(users: readonly FleetUser[], field: 'name' | 'key'): void {
  const seen = new Set<string>();
  for (const user of users) {
    if (seen.has(user[field])) {
      throw new RunnerError(
        'invalid_params',
        `fleetPermissions(options): two users have the ${field} ${user[field]}: give each one of its own`,
        { details: { path: 'users' } },
      );
    }
    seen.add(user[field]);
  }
}

function list(subjects: readonly string[]): string {
  return `[${subjects.map((subject) => JSON.stringify(subject)).join(', ')}]`;
}
