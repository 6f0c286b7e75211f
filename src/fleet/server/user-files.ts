import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../../errors.js';
import { tokenOf } from '../keys.js';
import { loadNats } from '../nats/peers.js';
import { fleetPermissions, type FleetPermissionsOptions, type FleetUser } from '../nats/permissions.js';

/** What {@link writeFleetUsers} takes: as {@link fleetPermissions}, and a user without a key gets one. */
export type FleetUsersOptions = Omit<FleetPermissionsOptions, 'users'> & {
  users: (Omit<FleetUser, 'key'> & { key?: string })[];
};

/** What {@link writeFleetUsers} wrote. */
export interface FleetUserFiles {
  /** Path of the part of the server's configuration. */
  configuration: string;
  /** By name of the user, path of its seed: only users whose key was not given have one. It belongs on the machine of the user alone. */
  seeds: Record<string, string>;
  /** Those of them that are new. */
  made: string[];
}

/**
 * Writes `fleet-users.conf` into a folder, and for each user without a key a seed (`<name>.seed`, for its owner alone). A seed that is there
 * already is kept, so that a station can be added.
 *
 * @throws RunnerError `invalid_params`, also for a file that is no seed
 */
export async function writeFleetUsers(folder: string, options: FleetUsersOptions): Promise<FleetUserFiles> {
  const { nkeys } = loadNats('writeFleetUsers()').transport;
  const seeds: Record<string, string> = {};
  const made: string[] = [];
  const users: FleetUser[] = [];
  await mkdir(folder, { recursive: true });
  for (const { key, ...user } of options.users) {
    if (key !== undefined) {
      users.push({ ...user, key });
      continue;
    }
    const file = path.join(folder, `${tokenOf(user.name)}.seed`);
    seeds[user.name] = file;
    let seed = await readFile(file).catch(() => undefined);
    if (seed === undefined) {
      seed = Buffer.from(nkeys.createUser().getSeed());
      await writeFile(file, seed, { mode: 0o600, flag: 'wx' });
      made.push(user.name);
    }
    users.push({ ...user, key: publicKey(nkeys, seed, file) });
  }
  const configuration = path.join(folder, 'fleet-users.conf');
  await writeFile(configuration, fleetPermissions({ ...options, users }));
  return { configuration, seeds, made };
}

function publicKey(
  nkeys: ReturnType<typeof loadNats>['transport']['nkeys'],
  seed: Buffer,
  file: string,
): string {
  try {
    return nkeys.fromSeed(Buffer.from(seed.toString().trim())).getPublicKey();
  } catch (cause) {
    throw new RunnerError(
      'invalid_params',
      `${file} is no seed of an nkey: remove it, and a new one is made`,
      {
        cause,
        details: { path: file },
      },
    );
  }
}
