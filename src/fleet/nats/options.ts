import type { OperationOptions } from '../../abort.js';
import {
  abortSignal,
  Door,
  duration,
  group,
  lazily,
  must,
  name,
  strings,
  text,
  whole,
} from '../../options.js';
import type { CreateFleetOptions } from './create.js';

/** What {@link connectFleet} takes. */
export interface FleetConnectOptions {
  /** `nats://plant:4222`, `tls://plant:4222`; they are tried in turn. With `tls://` in one of them none is talked to in the clear. */
  servers: string[];
  /** Name of the station, or of the user: answers come on `_INBOX_<name>`, which only this user may read. */
  name: string;
  /** User and password, or… */
  user?: string;
  password?: string;
  /** …path of a file with the seed of an nkey (`SU…`), or… */
  seedFile?: string;
  /** …path of a file of credentials (a JWT and its seed). Both files are read again at each connect: a new key needs no restart. */
  credsFile?: string;
  /** Paths of PEM files. With `{}` the line is encrypted and the server's certificate is checked by the roots of Node. */
  tls?: FleetTlsOptions;
  /** Name of the bucket. @defaultValue 'fleet' */
  bucket?: string;
  /** Name of the stream of events. @defaultValue 'events' */
  stream?: string;
  /**
   * How often the server is asked whether it is there. A line that went silent is noticed after three times as long; the default
   * of the client is minutes. @defaultValue 5000
   */
  pingIntervalMs?: number;
  /** Limit of one operation, its tries included. @defaultValue 5000 */
  timeoutMs?: number;
  /**
   * How long to wait for the first connect before the call fails. 0 does not wait: a station without a line serves as before.
   * @defaultValue 0
   */
  waitMs?: number;
}

/** Certificates of the line. */
export interface FleetTlsOptions {
  /** Roots that the server's certificate must come from. */
  caFile?: string;
  /** Certificate and key of this client, where the server asks for one. */
  certFile?: string;
  keyFile?: string;
}

export const doors = /* @__PURE__ */ lazily(() => ({
  connect: new Door<FleetConnectOptions>('connectFleet(options)', {
    servers: must(strings()),
    name: name(),
    user: text(),
    password: text(),
    seedFile: text(),
    credsFile: text(),
    tls: group<FleetTlsOptions>({ caFile: text(), certFile: text(), keyFile: text() }),
    bucket: text(),
    stream: text(),
    pingIntervalMs: duration(100),
    timeoutMs: duration(100),
    waitMs: duration(),
  }),
  create: new Door<CreateFleetOptions & OperationOptions>('connection.create(options)', {
    signal: abortSignal(),
    replicas: whole(1, 5),
    eventDays: whole(1),
    eventBytes: whole(1_000_000),
  }),
}));
