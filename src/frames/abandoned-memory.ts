import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { loadMemoryCalls } from './memory-calls.js';

/** Name of the memory of a slot: it tells of which pool it is, by the name of the pool's folder. */
export function memoryName(folder: string, id: string): string {
  return `${folder}/${id}.npy`;
}

/**
 * Gives back the memory of a pool whose thread was ended within this process, where nothing of JavaScript ran any more: the
 * kernel takes back the memory of processes, not of threads.
 */
export async function releaseMemory(folder: string): Promise<void> {
  const calls = await loadMemoryCalls();
  if (!calls) return;
  const start = `/memfd:${folder}/`;
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    const [, from, to, file] = /^(\w+)-(\w+) \S+ \S+ \S+ \S+\s+(\S+)/.exec(line) ?? [];
    if (!file?.startsWith(start)) continue;
    const address = BigInt(`0x${from}`);
    calls.munmapAt(address, BigInt(`0x${to}`) - address);
  }
  for (const descriptor of readdirSync('/proc/self/fd')) {
    if (leadsTo(`/proc/self/fd/${descriptor}`).startsWith(start)) calls.close(Number(descriptor));
  }
}

function leadsTo(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return ''; // it was open to list the folder
  }
}
