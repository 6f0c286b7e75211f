import { readFileSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchContext } from '../harness/case.js';
import { execute } from './pythons.js';
import type { WheelSet } from './wheels.js';

const HOST = fileURLToPath(new URL('./install-host.mjs', import.meta.url));

/** One environment with the wheels in it, made by the library in a process of its own, whose start is not counted. */
export async function install(
  { library }: BenchContext,
  folder: string,
  { python, wheels, requirements }: Omit<WheelSet, 'pins'>,
  store?: string,
): Promise<{ time: number; memory: number; cpu?: number }> {
  const args = [HOST, library.file('index.js'), folder, python, wheels, requirements];
  const before = cpuOfChildren();
  const { stdout } = await execute(process.execPath, store === undefined ? args : [...args, store], {
    maxBuffer: 64 << 20,
  });
  const after = cpuOfChildren();
  const { ms, peakBytes, startMs } = JSON.parse(stdout) as Record<'ms' | 'peakBytes' | 'startMs', number>;
  return {
    ...{ time: ms, memory: peakBytes / 1e6 },
    ...(before !== undefined && after !== undefined && { cpu: after - before - startMs }),
  };
}

/** Processor time in ms of all processes that this one started and that ended; undefined where the system does not tell. */
export function cpuOfChildren(): number | undefined {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[13]) + Number(fields[14])) * TICK_MS; // cutime and cstime of proc(5)
  } catch {
    return undefined;
  }
}

/** What proc(5) counts in: `sysconf(_SC_CLK_TCK)` is 100 on every Linux. */
const TICK_MS = 10;

/** Bytes on disk, each file once however many names it has. */
export async function diskBytes(folders: readonly string[]): Promise<number> {
  const blocks = new Map<number, number>();
  for (const folder of folders) {
    for (const name of ['.', ...(await readdir(folder, { recursive: true }))]) {
      const { ino, blocks: count } = await lstat(path.join(folder, name));
      blocks.set(ino, count * 512);
    }
  }
  return [...blocks.values()].reduce((sum, bytes) => sum + bytes, 0);
}
