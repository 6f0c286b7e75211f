import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { MemoryCalls } from './memory-calls.js';

const PREFIX = '/memfd:';
const ALIVE = 'alive';
const MFD_CLOEXEC = 0x1;

/** Name of the memory of a slot: it tells of which pool it is, by the name of the pool's folder. */
export function memoryName(pool: string, id: string): string {
  return `${pool}/${id}.npy`;
}

/**
 * Shows this process that the memory of a pool is in use: by a descriptor that Node itself has opened, and therefore closes
 * with the thread, should that be ended.
 *
 * @returns takes the sign away
 */
export function showMemoryInUse(calls: MemoryCalls, pool: string): () => void {
  const made = calls.memfdCreate(`${pool}/${ALIVE}`, MFD_CLOEXEC) as number;
  try {
    const descriptor = openSync(`/proc/self/fd/${made}`, 'r');
    return () => {
      closeSync(descriptor);
    };
  } catch {
    return () => undefined; // without /proc nobody looks for it either
  } finally {
    calls.close(made);
  }
}

/**
 * Gives back the memory of pools whose thread was ended within this process, where nothing of JavaScript ran any more: the
 * kernel takes back the memory of processes, not of threads.
 */
export function releaseAbandonedMemory(calls: MemoryCalls): void {
  const byPool = new Map<string, { descriptors: number[]; isAlive: boolean }>();
  for (const number of openDescriptors()) {
    const [, pool = '', name] = /^\/memfd:(procvision-frames-[^/]+)\/(\S+)/.exec(linkOf(number)) ?? [];
    if (name === undefined) continue;
    const found = byPool.get(pool) ?? { descriptors: [], isAlive: false };
    byPool.set(pool, found);
    found.descriptors.push(Number(number));
    found.isAlive ||= name === ALIVE;
  }
  const abandoned = [...byPool].filter(([, { isAlive }]) => !isAlive);
  if (abandoned.length === 0) return;
  const maps = readFileSync('/proc/self/maps', 'latin1').split('\n');
  for (const [pool, { descriptors }] of abandoned) {
    for (const line of maps.filter((one) => one.includes(` ${PREFIX}${pool}/`))) {
      const [from, to] = (/^\w+-\w+/.exec(line)?.[0] ?? '').split('-').map((hex) => BigInt(`0x${hex}`));
      if (from !== undefined && to !== undefined) calls.munmapAt(from, to - from);
    }
    for (const descriptor of descriptors) calls.close(descriptor);
  }
}

function openDescriptors(): string[] {
  try {
    return readdirSync('/proc/self/fd');
  } catch {
    return [];
  }
}

function linkOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return ''; // it was open to list the folder
  }
}
