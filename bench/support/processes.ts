/** What the system knows of processes (Linux: proc(5)). */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessMemory {
  /** Resident, shared pages counted whole in each process. */
  rssMiB: number;
  /** Resident, each shared page divided by the number of processes that share it: sums up over processes. */
  pssMiB: number;
}

/** Memory of some processes together. Undefined where the system does not have `smaps_rollup`. */
export function memoryOf(pids: readonly number[]): ProcessMemory | undefined {
  let rss = 0;
  let pss = 0;
  for (const pid of pids) {
    let text: string;
    try {
      text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
    } catch {
      return undefined;
    }
    const kib = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? NaN);
    rss += kib('Rss');
    pss += kib('Pss');
  }
  return { rssMiB: rss / 1_024, pssMiB: pss / 1_024 };
}

/** Every process below one, at any depth. */
export function descendantsOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state === 'Z') continue;
      const siblings = children.get(Number(parent)) ?? [];
      children.set(Number(parent), [...siblings, Number(name)]);
    } catch {
      // it has ended
    }
  }
  const found: number[] = [];
  const visit = (pid: number) => {
    for (const child of children.get(pid) ?? []) {
      found.push(child);
      visit(child);
    }
  };
  visit(root);
  return found;
}
