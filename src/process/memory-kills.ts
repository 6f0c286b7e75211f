import { readFileSync } from 'node:fs';

/** Where cgroups of version 2 and the memory controller of version 1 are mounted (cgroups(7)). */
const UNIFIED = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'];
const MEMORY = '/sys/fs/cgroup/memory';

/**
 * Counts the processes of this process's cgroup that the kernel has killed because memory ran out. A counter says of no
 * process that it was that one: each kill is claimed once, by a process that SIGKILL has ended and nobody here had sent it.
 */
export class MemoryKills {
  readonly #count: () => number | undefined;
  #known: number | undefined;

  /** @param count - reads the counter; undefined where there is none */
  constructor(count: () => number | undefined = ownCount) {
    this.#count = count;
    this.#known = count();
  }

  /** Whether there is a kill that nobody has claimed. */
  claim(): boolean {
    const now = this.#count();
    if (now === undefined) return false;
    this.#known ??= 0;
    if (now <= this.#known) return false;
    this.#known += 1;
    return true;
  }
}

/** `oom_kill` of the nearest cgroup that has it; the machine's where it is in none (proc_vmstat(5)). */
function ownCount(): number | undefined {
  for (const file of [...counters(), '/proc/vmstat']) {
    try {
      const [, found] = /^oom_kill (\d+)$/m.exec(readFileSync(file, 'latin1')) ?? [];
      if (found !== undefined) return Number(found);
    } catch {
      // not this one
    }
  }
  return undefined;
}

let known: string[] | undefined;

function counters(): string[] {
  return (known ??= countersOf(readCgroups()));
}

function readCgroups(): string {
  try {
    return readFileSync('/proc/self/cgroup', 'latin1');
  } catch {
    return ''; // not Linux
  }
}

/** Files that may hold the counter, by the lines of `/proc/self/cgroup`. In a container its own cgroup may be the mount's top. */
export function countersOf(cgroups: string): string[] {
  const files: string[] = [];
  for (const line of cgroups.split('\n')) {
    const [, controllers, path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === '') {
      files.push(...[path, ''].flatMap((at) => UNIFIED.map((root) => `${root}${at}/memory.events`)));
    } else if (controllers?.split(',').includes('memory')) {
      files.push(...[path, ''].map((at) => `${MEMORY}${at}/memory.oom_control`));
    }
  }
  return files;
}
