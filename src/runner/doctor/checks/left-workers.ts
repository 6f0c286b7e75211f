import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { signalTree } from '../../../process/tree.js';
import type { StoreLayout } from '../../../store/layout.js';
import { TOKEN_VARIABLE } from '../../../worker/worker-command.js';
import { finding, type Finding } from '../finding.js';
import type { Surroundings } from '../surroundings.js';

/** A process that carries the mark of a worker of this store. */
interface Carrier {
  id: number;
  parent: number;
  /** Changes when the id is given out again. */
  startTime: string;
  token: string;
  /** Folder of the version that it runs. */
  root: string;
  /** The process that started it, as its own command line says; undefined where it does not. */
  host: number | undefined;
}

/**
 * Workers whose host is dead (Linux). A worker and its keeper carry a mark in their environment, and the host's process in
 * their command line: a worker that the host is not above of any more has lost it.
 */
export async function leftWorkers(layout: StoreLayout, { proc, platform }: Surroundings): Promise<Finding[]> {
  if (platform !== 'linux') return [];
  const carriers = await carriersOf(layout, proc);
  const found: Finding[] = [];
  for (const [token, group] of grouped(carriers)) {
    const [first] = group;
    const host = group.find((one) => one.host !== undefined)?.host;
    if (!first || host === undefined) continue;
    const above = await Promise.all(group.map((one) => isAbove(host, one.id, proc)));
    if (above.some(Boolean)) continue;
    const [version = '', name = ''] = first.root.split(path.sep).reverse();
    const ids = group.map(({ id }) => id);
    found.push(
      finding('process.left', {
        what: `Process ${ids.join(', ')} is a worker of ${name} ${version}`,
        why: `Its host, process ${host}, is dead`,
        remedy: `End it: kill -9 ${ids.join(' ')}, or run doctor --fix`,
        ...{ name, version },
        fix: async () => {
          // The ids may have been given out again since.
          const now = (await carriersOf(layout, proc)).filter((one) => one.token === token);
          for (const { id, startTime } of group) {
            if (!now.some((one) => one.id === id && one.startTime === startTime)) continue;
            signalTree(id, 'SIGKILL');
            end(id);
          }
        },
      }),
    );
  }
  return found;
}

function grouped(carriers: readonly Carrier[]): Map<string, Carrier[]> {
  const groups = new Map<string, Carrier[]>();
  for (const one of carriers) groups.set(one.token, [...(groups.get(one.token) ?? []), one]);
  return groups;
}

function end(id: number): void {
  try {
    process.kill(id, 'SIGKILL');
  } catch {
    // it is gone with its group
  }
}

async function carriersOf(layout: StoreLayout, proc: string): Promise<Carrier[]> {
  const found: Carrier[] = [];
  for (const name of await readdir(proc).catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await readFile(path.join(proc, name, 'environ'), 'utf8').catch(() => '');
    const variables = new Map(
      environment
        .split('\0')
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    const token = variables.get(TOKEN_VARIABLE);
    const root = variables.get('PROC_ALGO_ROOT');
    if (token === undefined || root?.startsWith(layout.deployedRoot + path.sep) !== true) continue;
    const [stat, command] = await Promise.all(
      ['stat', 'cmdline'].map((file) => readFile(path.join(proc, name, file), 'latin1').catch(() => '')),
    );
    const fields = fieldsOf(stat ?? '');
    if (fields[0] === 'Z' || fields[0] === undefined || fields[0] === '') continue;
    const [, host] = /"host":\s*(\d+)/.exec(command ?? '') ?? [];
    found.push({
      ...{ id: Number(name), token, root, parent: Number(fields[1]), startTime: fields[19] ?? '' },
      host: host === undefined ? undefined : Number(host),
    });
  }
  return found;
}

async function isAbove(host: number, id: number, proc: string): Promise<boolean> {
  for (let at = id, steps = 0; at > 0 && steps < 64; steps++) {
    if (at === host) return true;
    const fields = fieldsOf(await readFile(path.join(proc, String(at), 'stat'), 'latin1').catch(() => ''));
    at = Number(fields[1] ?? 0);
  }
  return false;
}

/** Of `/proc/<pid>/stat` from the third on: state, parent… (proc(5)). */
function fieldsOf(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
