import { readlinkSync } from 'node:fs';
import { access, readdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { nodeCrypto } from '../node-crypto.js';
import { lifeAt, type LifeMark, type Liveness } from './life.js';
import { windowsCalls, type WindowsCalls } from './windows-calls.js';

/** Who a process is, beyond its pid, which the system gives out again. */
export interface ProcessIdentity {
  /** Name of the machine. */
  host: string;
  /** Tells machines of one name apart, which copies of one disk image are; empty where the system does not tell. */
  machine: string;
  /** As its own PID namespace counts. */
  pid: number;
  /**
   * Start time as the system tells it, in its own unit: ticks since the boot (Linux), 100 ns since 1601 (Windows with the
   * optional package `koffi`). Empty where it does not tell: then a sign of life decides, where the record has one.
   */
  startTime: string;
  /** Changes with every boot; empty where the system has none. */
  bootId: string;
  /** Pid namespace (Linux): pids of another one mean nothing here. */
  pidNamespace: string;
  /** Where it shows that it lives, beside the record that this is part of; absent where the file system cannot. */
  life?: LifeMark;
}

let own: Promise<ProcessIdentity> | undefined;

export function ownIdentity(): Promise<ProcessIdentity> {
  own ??= (async () => ({
    host: os.hostname(),
    pid: process.pid,
    startTime: (await seen(process.pid))?.startTime ?? '',
    bootId: await ownBootId(),
    pidNamespace: ownPidNamespace(),
    machine: await machineId(),
  }))();
  return own;
}

let pidNamespace: string | undefined;

/** The `pidNamespace` alone, which a process never leaves. */
export function ownPidNamespace(): string {
  if (pidNamespace === undefined) {
    try {
      pidNamespace = readlinkSync('/proc/self/ns/pid');
    } catch {
      pidNamespace = '';
    }
  }
  return pidNamespace;
}

let boot: Promise<string> | undefined;

/** The `bootId` alone: the rest of an identity takes a dozen looks into the system. */
export function ownBootId(): Promise<string> {
  boot ??= readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    (id) => id.trim(),
    () => '',
  );
  return boot;
}

/**
 * Whether the process of this identity lives. `dead` is said only when it is proven: its sign of life is gone, this
 * machine has booted since, the pid is free, belongs to a process that started at another time, or is a zombie's.
 *
 * @param folder - where the record of the identity lies, and its sign of life with it
 */
export async function livenessOf(identity: ProcessIdentity, folder?: string): Promise<Liveness> {
  const here = await ownIdentity();
  if (identity.life && folder !== undefined && isOnThisKernel(identity, here)) {
    const seen = await lifeAt(folder, identity.life);
    if (seen !== 'unknown') return seen;
  }
  if (identity.host !== here.host) return 'unknown';
  if (identity.bootId !== here.bootId) return identity.machine === here.machine ? 'dead' : 'unknown';
  if (identity.pidNamespace !== here.pidNamespace) return 'unknown';
  if (!isPidTaken(identity.pid)) return 'dead';
  const found = await seen(identity.pid);
  // It has ended; or the system shows no start times, or (hidepid) not to this user. Then the process id alone
  // proves nothing: it may have been reused.
  if (!found || identity.startTime === '') return isPidTaken(identity.pid) ? 'unknown' : 'dead';
  return found.startTime === identity.startTime && !found.hasEnded ? 'alive' : 'dead';
}

/**
 * When the process that has this id now was started, and whether it has ended: of the process that held the id when its
 * identity was taken, or of another since. Undefined where the system does not tell: on Windows `koffi` asks it.
 */
export async function seen(
  pid: number,
  windows: WindowsCalls | undefined = windowsCalls(),
): Promise<{ startTime: string; hasEnded: boolean } | undefined> {
  if (windows) return windows.process(pid);
  const stat = await readStat(pid);
  if (!stat) return undefined;
  // A process whose main thread has ended while others run shows Z too; its threads keep it alive.
  const isZombie = (stat.state === 'Z' || stat.state === 'X') && stat.threads <= 1;
  return { startTime: stat.startTime, hasEnded: isZombie };
}

/** Containers of one kernel share its boot id, whatever they call themselves. Elsewhere the name of the machine must do. */
function isOnThisKernel(identity: ProcessIdentity, here: ProcessIdentity): boolean {
  if (identity.bootId !== here.bootId) return false;
  return here.bootId !== '' || identity.host === here.host;
}

function isPidTaken(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const INTERFACES = '/sys/class/net';

/** What stays the same when the machine is booted: its id (machine-id(5)), which images may share, and its network cards. */
async function machineId(): Promise<string> {
  const id = await readFile('/etc/machine-id', 'utf8').catch(() => '');
  const names = await readdir(INTERFACES).catch(() => []);
  const addresses = await Promise.all(names.sort().map(addressOfCard));
  const hashed = [id.trim(), ...addresses].join('\n').trim();
  return hashed === '' ? '' : nodeCrypto().createHash('sha256').update(hashed).digest('hex').slice(0, 16);
}

/** Address of a network card; empty for an interface without one, which may come and go. */
async function addressOfCard(name: string): Promise<string> {
  try {
    await access(`${INTERFACES}/${name}/device`);
    return (await readFile(`${INTERFACES}/${name}/address`, 'utf8')).trim();
  } catch {
    return '';
  }
}

/** What `/proc/<pid>/stat` tells (proc(5)). */
export interface ProcessStat {
  state: string;
  /** 0 for the first process of a PID namespace, and for one whose parent is outside of it. */
  parent: number;
  threads: number;
  startTime: string;
}

/** Undefined where there is none, or it cannot be read. */
export async function readStat(pid: number, proc = '/proc'): Promise<ProcessStat | undefined> {
  const text = await readFile(path.join(proc, String(pid), 'stat'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  // The second field is the command in parentheses, which may hold spaces and parentheses itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    threads: Number(fields[17]),
    startTime: fields[19] ?? '',
  };
}

/** Between a worker and its host are few generations. */
const MOST_ANCESTORS = 64;

/** A process and those it descends from. */
export interface Ancestry {
  /** Its own id first. */
  ids: number[];
  /** Whether the line goes up to a process without a parent; otherwise one could not be read, and more may be above. */
  isWhole: boolean;
}

/** The process itself alone where the system has no `/proc`. */
export async function ancestorsOf(pid: number, proc = '/proc'): Promise<Ancestry> {
  const ids = [pid];
  for (let at = pid; ids.length <= MOST_ANCESTORS; ids.push(at)) {
    if (at === 1) return { ids, isWhole: true }; // with hidepid it may be hidden
    const stat = await readStat(at, proc);
    if (!stat || Number.isNaN(stat.parent)) break;
    if (stat.parent === 0) return { ids, isWhole: true };
    at = stat.parent;
  }
  return { ids, isWhole: false };
}
