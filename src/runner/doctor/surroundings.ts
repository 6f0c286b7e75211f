import os from 'node:os';
import { loadPeer } from '../../assets.js';
import { freeMemory } from '../../process/free-memory.js';
import type { SearchPlaces } from '../../python/libraries/machine-libraries.js';

/** The machine as the checks see it: all of it has a default, tests give their own. */
export interface Surroundings {
  platform: NodeJS.Platform;
  /** As `process.versions.node`. */
  nodeVersion: string;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Where the system tells of processes. */
  proc: string;
  /** Where cgroups are mounted. */
  cgroups: string;
  /** Folder of shared memory, and default folder of frames. */
  sharedMemory: string;
  /** Folder for temporary files. */
  temp: string;
  /** Bytes of memory that can be had. */
  availableMemory: () => number;
  /** Gives an optional package. */
  loadPeer: (name: string) => unknown;
  /** Whether this process may lower and raise priorities again. */
  mayStandBack?: boolean;
  /** Where libraries of the system are, in place of what this machine has. */
  places?: SearchPlaces;
  /** Checks a file of this library that ships beside its modules. */
  assets?: () => void;
}

/** This machine. */
export function thisMachine(): Surroundings {
  return {
    platform: process.platform,
    nodeVersion: process.versions.node,
    now: () => Date.now(),
    proc: '/proc',
    cgroups: '/sys/fs/cgroup',
    sharedMemory: '/dev/shm',
    temp: os.tmpdir(),
    availableMemory: freeMemory,
    loadPeer,
  };
}
