import { constants } from 'node:fs';
import { access, lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { assetPath } from '../../../assets.js';
import type { RunnerError } from '../../../errors.js';
import { compareNumbers, dottedNumbers } from '../../../package/pep440.js';
import { mayStandBack } from '../../../process/priority.js';
import { removeTree } from '../../../store/remove-tree.js';
import { inTemporaryFolder } from '../../../store/temporary-folder.js';
import { finding, type Finding } from '../finding.js';
import type { Surroundings } from '../surroundings.js';
import type { Examination } from './context.js';

/** Oldest Node, as `engines` of package.json says. */
const LEAST_NODE = [20, 4] as const;
/** Before this library was made no clock was right. */
const FIRST_YEAR = 2025;
const MIB = 2 ** 20;
const LEAST_MEMORY = 256 * MIB;
const LEAST_FILES = 512;
const LEAST_PROCESSES = 64;
/** A wheel of a framework has some gigabytes. */
const LEAST_FILE_BYTES = 4 * 2 ** 30;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Folders that validation makes in the temp dir. */
const TEMPORARY = /^procvision-(?:validate|probe|libraries|doctor)-/;

/** Node, files of this library, the temp dir, memory, limits and clock. */
export async function examineMachine({ surroundings }: Examination): Promise<Finding[]> {
  return [
    ...node(surroundings),
    ...assets(surroundings),
    ...(await temporary(surroundings)),
    ...(await leftTemporary(surroundings)),
    ...(await limits(surroundings)),
    ...memory(surroundings),
    ...clock(surroundings),
  ];
}

function node({ nodeVersion }: Surroundings): Finding[] {
  if (compareNumbers(dottedNumbers(nodeVersion), LEAST_NODE) >= 0) return [];
  const what = `This is Node ${nodeVersion}`;
  return [finding('node.old', { what, why: `This library is made for ${LEAST_NODE.join('.')} and later` })];
}

function assets({ assets: check = () => void assetPath('worker/launch.py') }: Surroundings): Finding[] {
  try {
    check();
    return [];
  } catch (error) {
    const { message, details } = error as RunnerError;
    return [
      finding('assets.missing', {
        what: message,
        why: 'A bundler leaves out what is no JavaScript',
        ...(details.path !== undefined && { path: details.path }),
      }),
    ];
  }
}

async function temporary({ temp }: Surroundings): Promise<Finding[]> {
  try {
    await inTemporaryFolder(
      'procvision-doctor-',
      // A full disk may still make a folder.
      (folder) => writeFile(path.join(folder, 'trial'), Buffer.alloc(64 * 1024)),
      temp,
    );
    return [];
  } catch (error) {
    const why = (error as Error).message;
    const what = `Nothing can be written in ${temp}: packages cannot be validated`;
    return [finding('temp.unusable', { what, why, path: temp })];
  }
}

/** A live trial is younger than a day. Folders of other users are theirs. */
async function leftTemporary({ temp, now }: Surroundings): Promise<Finding[]> {
  const left: string[] = [];
  for (const name of await readdir(temp).catch(() => [])) {
    if (!TEMPORARY.test(name)) continue;
    const folder = path.join(temp, name);
    const stats = await lstat(folder).catch(() => undefined);
    const isOwn = process.getuid === undefined || stats?.uid === process.getuid();
    if (stats?.isDirectory() && isOwn && now() - stats.mtimeMs > DAY_MS) left.push(folder);
  }
  if (left.length === 0) return [];
  return [
    finding('temp.left', {
      what: `${left.length} temporary ${left.length === 1 ? 'folder' : 'folders'} in ${temp} are older than a day`,
      why: 'Their processes were killed before they could remove them',
      path: left[0],
      fix: async () => {
        for (const folder of left) await removeTree(folder);
      },
    }),
  ];
}

async function limits(surroundings: Surroundings): Promise<Finding[]> {
  const { proc, platform } = surroundings;
  if (platform !== 'linux') return [];
  const text = await readFile(path.join(proc, 'self', 'limits'), 'utf8').catch(() => undefined);
  if (text === undefined) {
    const isThere = await access(path.join(proc, 'self'), constants.R_OK).then(
      () => true,
      () => false,
    );
    return isThere
      ? []
      : [finding('proc.missing', { what: `${proc} has no processes`, why: 'It is not mounted', path: proc })];
  }
  const limitOf = (name: string) => {
    const [, soft = 'unlimited'] = new RegExp(`^Max ${name}\\s+(\\S+)`, 'm').exec(text) ?? [];
    return soft === 'unlimited' ? Infinity : Number(soft);
  };
  const found: Finding[] = [];
  const files = limitOf('open files');
  if (files < LEAST_FILES) {
    const what = `This process may open ${files} files`;
    found.push(
      finding('limits.open-files', { what, why: 'Each worker takes about a dozen, and each upload some' }),
    );
  }
  const fileBytes = limitOf('file size');
  if (fileBytes < LEAST_FILE_BYTES) {
    const what = `A file may have ${fileBytes} bytes`;
    found.push(
      finding('limits.file-size', { what, why: 'RLIMIT_FSIZE ends a write at that length (SIGXFSZ)' }),
    );
  }
  const addresses = limitOf('address space');
  if (addresses !== Infinity) {
    const what = `A process may have ${Math.round(addresses / MIB)} MiB of address space`;
    found.push(
      finding('limits.address-space', { what, why: 'RLIMIT_AS counts what is reserved, not what is used' }),
    );
  }
  found.push(...(await processes(surroundings, limitOf('processes'))));
  if (!(surroundings.mayStandBack ?? mayStandBack())) {
    const what = 'This user may lower the priority of a process, and never raise it again';
    found.push(
      finding('limits.nice', {
        what,
        why: 'RLIMIT_NICE is 0: a worker is started with the priority of the host',
      }),
    );
  }
  return found;
}

/** The bound of the user, and that of the cgroup with what it has. */
async function processes({ proc, cgroups }: Surroundings, bound: number): Promise<Finding[]> {
  const why = 'Each worker is two processes, and numeric libraries start a thread for each processor';
  if (bound < LEAST_PROCESSES) {
    return [finding('limits.processes', { what: `This user may have ${bound} processes and threads`, why })];
  }
  const own = await readFile(path.join(proc, 'self', 'cgroup'), 'utf8').catch(() => '');
  const [, below = ''] = /^0::(.*)$/m.exec(own) ?? [];
  for (const folder of [path.join(cgroups, below), cgroups, path.join(cgroups, 'pids')]) {
    const [most, now] = await Promise.all(
      ['pids.max', 'pids.current'].map((name) => readFile(path.join(folder, name), 'utf8').catch(() => '')),
    );
    if (most === undefined || now === undefined || !/^\d+/.test(most) || !/^\d+/.test(now)) continue;
    const left = Number(most) - Number(now);
    if (left >= LEAST_PROCESSES) return [];
    const what = `${left} more processes and threads can be started: ${Number(now)} of ${Number(most)} are there`;
    return [finding('limits.processes', { what, why, path: folder })];
  }
  return [];
}

function memory({ availableMemory }: Surroundings): Finding[] {
  const bytes = availableMemory();
  if (bytes >= LEAST_MEMORY) return [];
  const what = `${Math.round(bytes / MIB)} MiB of memory are left`;
  return [finding('memory.low', { what, why: 'When none is left the kernel ends processes, workers first' })];
}

function clock({ now }: Surroundings): Finding[] {
  const time = new Date(now());
  if (time.getUTCFullYear() >= FIRST_YEAR) return [];
  const why = 'Key sets expire by it, and records say when something happened';
  return [finding('clock.unset', { what: `The clock says ${time.toISOString()}`, why })];
}
