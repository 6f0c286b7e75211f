import path from 'node:path';
import { withLater } from '../../errors.js';
import type { Runner } from '../../runner/runner.js';
import { makeFolder } from '../../store/atomic-file.js';
import { acquireLock } from '../../store/lock.js';
import { PackageFetcher } from '../bytes/package-fetcher.js';
import { FleetAgent } from './agent.js';
import { AgentDisk } from './disk/agent-disk.js';
import { doors } from './options.js';
import { RunnerStation } from './runner/runner-station.js';
import type { FleetStationOptions } from './types.js';

/** How long to wait for another process that is the agent of the store: it may be ending. */
const LOCK_MS = 5_000;

/**
 * Makes the station of a runner a member of a fleet. What the agent keeps is in `.fleet` of the store; a file `lock` in that folder keeps
 * it from switching, its first line is the reason. The runner and the connection stay the caller's: they are closed after the agent.
 *
 * @throws RunnerError `invalid_params`, `lock_timeout` where another process is the agent of this store, `store_failed`
 */
export async function openFleetAgent(runner: Runner, o: FleetStationOptions): Promise<FleetAgent> {
  doors().station.check(o);
  const { plant, station, group, publicKeys, window, connection, sources, headers, probation, locks } = o;
  const { registry, validator } = runner;
  const folder = path.join(registry.layout.root, '.fleet');
  const bytes = new PackageFetcher({
    ...{ registry, sources, integrity: validator.integrity },
    ...(headers && { headers }),
  });
  await makeFolder(folder);
  const operation = `agent of the station ${station}`;
  const lock = await acquireLock(path.join(folder, 'agent'), { operation, timeoutMs: LOCK_MS });
  const disk = new AgentDisk(folder);
  const target = new RunnerStation(runner, {
    folder,
    ...(probation && { probation }),
    ...(locks && { locks }),
  });
  const end = async () => {
    target.close();
    await disk.close();
    await lock.release();
  };
  try {
    return await FleetAgent.start({
      ...{ plant, station, publicKeys, connection, bytes, disk, target },
      ...(group !== undefined && { group }),
      ...(window && { window }),
      onClose: end,
    });
  } catch (error) {
    await end().catch((later: unknown) => withLater(error, later));
    throw error;
  }
}
