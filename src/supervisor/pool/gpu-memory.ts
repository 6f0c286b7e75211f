import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { ancestorsOf } from '../../process/identity.js';
import { run } from '../../process/run.js';
import type { GpuUse } from '../types.js';

/** `nvidia-smi` starts a driver that is not loaded, which takes a second: it is not asked more often. */
const FRESH_MS = 2_000;
/** After a failure: mostly a driver that does not fit, which stays so. */
const FAILED_MS = 60_000;
/** A GPU that has fallen off the bus lets `nvidia-smi` hang. */
const LONGEST_MS = 10_000;
/** One line for each process and device; sizes in MiB (nvidia-smi --help-query-compute-apps). */
const QUERY = ['--query-compute-apps=pid,gpu_uuid,used_gpu_memory', '--format=csv,noheader,nounits'];
const MIB = 1024 * 1024;

/**
 * Memory of GPUs by process, as `nvidia-smi` tells it. Reading gives what is known and has it looked at again, in the background:
 * a status does not wait for a driver. Where no `nvidia-smi` is on the PATH nothing is ever started.
 */
export class GpuMemory {
  readonly #ending = new AbortController();
  readonly #env: NodeJS.ProcessEnv;
  #program: Promise<string | undefined> | undefined;
  #known: ReadonlyMap<number, readonly GpuUse[]> | undefined;
  #looking: Promise<void> | undefined;
  #nextAt = 0;

  /** @param env - has the PATH */
  constructor(env: NodeJS.ProcessEnv = process.env) {
    this.#env = env;
  }

  /**
   * What the process of a worker, and what it started, use of each GPU.
   *
   * @returns undefined where nothing is known, or not yet; empty for a process that uses none
   */
  of(processId: number): readonly GpuUse[] | undefined {
    void this.look();
    if (!this.#known) return undefined;
    return this.#known.get(processId) ?? [];
  }

  /** Asks `nvidia-smi`, unless it was asked just now. Never rejects. */
  look(): Promise<void> {
    if (this.#looking) return this.#looking;
    if (this.#ending.signal.aborted || performance.now() < this.#nextAt) return Promise.resolve();
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Ends a look that is under way. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const program = await (this.#program ??= programOn(this.#env));
    if (program === undefined) {
      this.#nextAt = Infinity;
      return;
    }
    try {
      const { exitCode, stdout } = await run(program, QUERY, {
        ...{ env: this.#env, timeoutMs: LONGEST_MS, signal: this.#ending.signal },
      });
      if (exitCode !== 0) throw new Error(`nvidia-smi ended with ${exitCode}`);
      this.#known = await byAncestor(parseUses(stdout));
      this.#nextAt = performance.now() + FRESH_MS;
    } catch {
      this.#known = undefined; // numbers of another time are worse than none
      this.#nextAt = performance.now() + FAILED_MS;
    }
  }
}

async function programOn(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): Promise<string | undefined> {
  const name = platform === 'win32' ? 'nvidia-smi.exe' : 'nvidia-smi';
  for (const folder of (env.PATH ?? env.Path ?? '').split(path.delimiter)) {
    const program = path.join(folder, name);
    if (!path.isAbsolute(program)) continue;
    const isThere = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return program;
  }
  return undefined;
}

/** Lines as `4711, GPU-8a3f, 1024`. A size that the driver does not know (`[N/A]`, WDDM on Windows) is left out. */
export function parseUses(text: string): (GpuUse & { processId: number })[] {
  return text.split('\n').flatMap((line) => {
    const [id = '', device = '', size = ''] = line.split(',').map((part) => part.trim());
    if (!/^\d+$/.test(id) || !/^\d+$/.test(size) || device === '') return [];
    return [{ processId: Number(id), device, memoryBytes: Number(size) * MIB }];
  });
}

/** Uses by process, each also counted for the processes that started it: a worker may compute in a child, and is never the first process. */
async function byAncestor(uses: readonly (GpuUse & { processId: number })[]): Promise<Map<number, GpuUse[]>> {
  const found = new Map<number, GpuUse[]>();
  for (const { processId, device, memoryBytes } of uses) {
    const { ids } = await ancestorsOf(processId);
    for (const ancestor of ids.filter((id) => id !== 1)) {
      const known = found.get(ancestor) ?? [];
      const same = known.find((use) => use.device === device);
      if (same) same.memoryBytes += memoryBytes;
      else known.push({ device, memoryBytes });
      found.set(ancestor, known);
    }
  }
  return found;
}
