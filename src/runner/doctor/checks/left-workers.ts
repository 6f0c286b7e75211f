import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ancestorsOf, ownPidNamespace, readStat } from '../../../process/identity.js';
import { signalTree } from '../../../process/tree.js';
import type { StoreLayout } from '../../../store/layout.js';
import { TOKEN_VARIABLE } from '../../../worker/worker-command.js';
import { finding, type Finding } from '../finding.js';
import type { Surroundings } from '../surroundings.js';

/** How long the end of a process that was killed is waited for, and how often it is looked at. */
const ENDING_MS = 5_000;
const LOOK_MS = 20;

/** A process that carries the mark of a worker of this store. */
interface Carrier {
  id: number;
  /** Changes when the id is given out again. */
  startTime: string;
  token: string;
  /** Folder of the version that it runs. */
  root: string;
  /** The process that started it, as its own command line says; undefined where it does not. */
  host: Host | undefined;
}

interface Host {
  id: number;
  /** Which the id counts in: in another one it is another process. Empty where the command line does not say. */
  pidNamespace: string;
}

/**
 * Workers whose host is dead (Linux). A worker and its keeper carry a mark in their environment, and the host's process in
 * their command line: a worker that the host is not above of any more has lost it. A worker is left out where that cannot be
 * proven: its host counts in another PID namespace, as in a container, or a process above it cannot be read.
 */
export async function leftWorkers(layout: StoreLayout, { proc, platform }: Surroundings): Promise<Finding[]> {
  if (platform !== 'linux' || !(await isOfOwnNamespace(proc))) return [];
  const carriers = await carriersOf(layout, proc);
  const found: Finding[] = [];
  for (const [token, group] of grouped(carriers)) {
    const [first] = group;
    const host = group.find((one) => one.host !== undefined)?.host;
    if (!first || host?.pidNamespace !== ownPidNamespace()) continue;
    const above = await Promise.all(group.map((one) => ancestorsOf(one.id, proc)));
    if (above.some(({ ids, isWhole }) => !isWhole || ids.includes(host.id))) continue;
    const [version = '', name = ''] = first.root.split(path.sep).reverse();
    const ids = group.map(({ id }) => id);
    found.push(
      finding('process.left', {
        what: `Process ${ids.join(', ')} is a worker of ${name} ${version}`,
        why: `Its host, process ${host.id}, is dead`,
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
          await untilEnded(group, proc);
        },
      }),
    );
  }
  return found;
}

/** Whether this process and those in `/proc` are counted in one PID namespace: after `unshare --pid` they are not. */
async function isOfOwnNamespace(proc: string): Promise<boolean> {
  const self = await readlink(path.join(proc, 'self')).catch(() => '');
  return self === String(process.pid) && ownPidNamespace() !== '';
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

/** A process with much memory takes a while to end: until then the next look would find it again. */
async function untilEnded(group: readonly Carrier[], proc: string): Promise<void> {
  const until = performance.now() + ENDING_MS;
  for (const { id, startTime } of group) {
    while (performance.now() < until) {
      const stat = await readStat(id, proc);
      if (stat?.startTime !== startTime || stat.state === 'Z') break;
      await sleep(LOOK_MS);
    }
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
    const stat = await readStat(Number(name), proc);
    if (!stat || stat.state === 'Z') continue;
    const command = await readFile(path.join(proc, name, 'cmdline'), 'utf8').catch(() => '');
    found.push({ id: Number(name), token, root, startTime: stat.startTime, host: hostIn(command) });
  }
  return found;
}

/** See `containmentOrder`. */
function hostIn(command: string): Host | undefined {
  const [, id] = /"host":\s*(\d+)/.exec(command) ?? [];
  const [, pidNamespace = ''] = /"pid_namespace":\s*"([^"]*)"/.exec(command) ?? [];
  return id === undefined ? undefined : { id: Number(id), pidNamespace };
}
