import { readFileSync } from 'node:fs';

/**
 * Process ids of what a thread has started (proc(5), children); none where the kernel has no such list. The list leaves some out
 * while others of them end.
 */
export function childIds(pid: number, thread: number | string = pid): number[] {
  try {
    const list = readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').trim();
    return list === '' ? [] : list.split(' ').map(Number);
  } catch {
    return [];
  }
}
