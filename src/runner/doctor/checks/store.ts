import { constants, type Stats } from 'node:fs';
import { access, lstat, readFile, realpath, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../../../errors.js';
import { listed } from '../../../package/text.js';
import type { VersionRef } from '../../../package/types.js';
import { completeFromDisk } from '../../../registry/rebuild.js';
import { Registry } from '../../../registry/registry.js';
import { readRegistryFile, type RegistryReading } from '../../../registry/registry-file.js';
import { activationLog } from '../../../registry/records.js';
import { errnoCode, isMissing } from '../../../store/errno.js';
import type { StoreLayout } from '../../../store/layout.js';
import { namesIn } from '../../../store/names-in.js';
import { keepReserve } from '../../../store/reserve.js';
import { isSetAside } from '../../../store/set-aside.js';
import { finding, type Finding } from '../finding.js';
import type { Surroundings } from '../surroundings.js';
import type { Examination } from './context.js';
import { closeToOthers, writableByOthers } from './modes.js';

const MIB = 2 ** 20;
/** Less and not even locks and the registry can be written. */
const FULL = 512 * 1024;
/** Less and the next package, with its environment, may not fit. */
const LOW = 256 * MIB;
const NO_INODES = 64;
const FEW_INODES = 4_096;
const LEAST_RESERVE = 16 * 1024;
/** Things that are named. */
const MOST_NAMED = 3;

/** What was found of the store itself. */
export interface StoreLook {
  findings: Finding[];
  /** What the registry says, where it can be read: without it nothing is known of versions. */
  reading?: RegistryReading;
}

/** The folder, its file system, who may write to it, and whether the registry is whole. Nothing is opened, made or repaired. */
export async function examineStore({ layout, surroundings }: Examination): Promise<StoreLook> {
  const refusal = await readable(layout);
  if (refusal) return { findings: [refusal] };
  const findings: Finding[] = [];
  const mount = await mountOf(layout.root, surroundings);
  const writing = await writable(layout, mount);
  if (writing) findings.push(writing);
  if (mount?.options.includes('noexec')) {
    const what = `${mount.point}, where the store lies, is mounted noexec`;
    const why = 'The system maps no program and no library of wheels from there';
    findings.push(finding('store.no-exec', { what, why, path: mount.point }));
  }
  findings.push(...(await misplaced(layout)));
  const { reading, finding: damage } = await readRegistry(layout);
  if (damage) findings.push(damage);
  findings.push(...(await examineSpace(layout, reading, writing === undefined)));
  findings.push(...(await examineModes(layout)));
  findings.push(...(await keptDamage(layout)));
  const isWhole = reading?.state === 'read' && reading.problems.length === 0;
  return { findings, ...(isWhole && { reading }) };
}

async function readable({ root, algorithms, registry }: StoreLayout): Promise<Finding | undefined> {
  const about = { path: root };
  let stats: Stats;
  try {
    stats = await stat(root);
  } catch (error) {
    if (isMissing(error)) {
      const what = `There is no store at ${root}`;
      return finding('store.missing', {
        what,
        why: 'The folder is not there, or the disk that has it is not mounted',
        ...about,
      });
    }
    return finding('store.unreadable', {
      what: `${root} cannot be read`,
      why: (error as Error).message,
      ...about,
    });
  }
  if (!stats.isDirectory()) {
    const what = `${root} is no folder`;
    return finding('store.not-a-folder', { what, why: 'A file has the name of the store', ...about });
  }
  try {
    await access(root, constants.R_OK | constants.X_OK);
    for (const inner of [algorithms, registry]) {
      await access(inner, constants.R_OK).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
    }
  } catch (error) {
    const why = `${(error as Error).message}. This process is user ${process.getuid?.()}`;
    return finding('store.unreadable', { what: `The store ${root} cannot be read`, why, ...about });
  }
  const names = await namesIn(root);
  if ([algorithms, registry].some((one) => names.includes(path.basename(one)))) return undefined;
  const what = `${root} holds no store`;
  const why =
    names.length === 0
      ? 'The folder is empty: is its disk mounted?'
      : 'It has neither registry.json nor algorithms/';
  return finding('store.missing', { what, why, ...about });
}

async function writable(
  { root, algorithms, deployedRoot, zips, activeRoot }: StoreLayout,
  mount: Mount | undefined,
): Promise<Finding | undefined> {
  for (const folder of [root, algorithms, deployedRoot, zips, activeRoot]) {
    try {
      await access(folder, constants.W_OK);
    } catch (error) {
      if (isMissing(error)) continue;
      const about = { path: folder, why: (error as Error).message };
      if (errnoCode(error) !== 'EROFS') {
        const why = `${about.why}. This process is user ${process.getuid?.()}`;
        return finding('store.not-permitted', { ...about, what: `${folder} cannot be written to`, why });
      }
      const where = mount?.point ?? folder;
      const remedy = `Mount it for writing: mount -o remount,rw ${where}; after an error of the disk look at dmesg first`;
      return finding('store.read-only', {
        ...about,
        what: `${folder} is on a file system that is read-only`,
        remedy,
      });
    }
  }
  return undefined;
}

/** A file, or a link into nothing, in the place of a folder. */
async function misplaced(layout: StoreLayout): Promise<Finding[]> {
  const folders = [layout.algorithms, layout.deployedRoot, layout.zips, layout.activeRoot, layout.logs];
  const found: Finding[] = [];
  for (const folder of folders) {
    const stats = await stat(folder).catch(() => lstat(folder).catch(() => undefined)); // a link into nothing is there
    if (!stats || stats.isDirectory()) continue;
    const why = 'The library would make a folder there, and cannot';
    found.push(finding('store.not-a-folder', { what: `${folder} is no folder`, why, path: folder }));
  }
  const { logs } = layout;
  const refused = await access(logs, constants.W_OK).catch((error: unknown) => error);
  const isRootWritable = await access(layout.root, constants.W_OK).then(
    () => true,
    () => false, // which is a finding of its own
  );
  if (refused !== undefined && !isMissing(refused) && isRootWritable) {
    const why = (refused as Error).message;
    found.push(finding('logs.unwritable', { what: `${logs} cannot be written to`, why, path: logs }));
  }
  for (const file of [path.join(logs, 'package_install.log'), activationLog(layout)]) {
    if (!(await stat(file).catch(() => undefined))?.isDirectory()) continue;
    const why = 'A folder lies in the place of the file';
    found.push(finding('logs.unwritable', { what: `${file} cannot be written to`, why, path: file }));
  }
  return found;
}

async function readRegistry(layout: StoreLayout): Promise<{ reading?: RegistryReading; finding?: Finding }> {
  const about = { path: layout.registry };
  let reading: RegistryReading;
  try {
    reading = await readRegistryFile(layout);
  } catch (error) {
    const why = (error as Error).message;
    if (RunnerError.is(error, 'store_damaged')) {
      const what = 'registry.json has a schema that this version of the library does not know';
      return { finding: finding('registry.too-new', { what, why, ...about }) };
    }
    return {
      finding: finding('store.unreadable', { what: `${layout.registry} cannot be read`, why, ...about }),
    };
  }
  const fix = async () => {
    const registry = await Registry.open(layout); // which completes it from the disk
    await registry.close();
  };
  if (reading.state === 'missing') {
    // Tells what would be taken up from disk; nothing is changed but the copy.
    const damage = await completeFromDisk(layout, structuredClone(reading));
    if (!damage) return { reading: { ...reading, state: 'read' } };
    const { recovered, problems } = damage;
    const what =
      recovered.length > 0
        ? `registry.json is not there, and deployed are ${listed(recovered.map(nameOf), ', ', MOST_NAMED)}`
        : `registry.json is not there: ${listed(problems, '; ', MOST_NAMED)}`;
    return {
      reading,
      finding: finding('registry.missing', { what, why: 'Somebody has removed or moved it', ...about, fix }),
    };
  }
  if (reading.problems.length === 0) return { reading };
  const what = `registry.json is damaged: ${listed(reading.problems, '; ', MOST_NAMED)}`;
  const why = 'Somebody has edited it, or the disk has lost a part';
  return { reading, finding: finding('registry.damaged', { what, why, ...about, fix }) };
}

function nameOf({ name, version }: VersionRef): string {
  return `${name} ${version}`;
}

async function examineSpace(
  layout: StoreLayout,
  reading: RegistryReading | undefined,
  isWritable: boolean,
): Promise<Finding[]> {
  const { root } = layout;
  const { bavail, bsize, files, ffree } = await statfs(root);
  const free = bavail * bsize;
  const found: Finding[] = [];
  const about = { path: root };
  const largest = Math.max(0, ...(reading?.content.packages ?? []).map(({ size_bytes: bytes = 0 }) => bytes));
  const shown = `${(free / MIB).toFixed(1)} MiB`;
  if (free < FULL) {
    const why = 'Locks, the registry and logs cannot be written';
    found.push(finding('disk.full', { what: `The disk of ${root} has ${shown} left`, why, ...about }));
  } else if (free < Math.max(LOW, largest * 1.5)) {
    const why =
      largest > 0
        ? `The largest version takes ${(largest / MIB).toFixed(1)} MiB`
        : 'An environment takes some hundred megabytes';
    found.push(finding('disk.low', { what: `The disk of ${root} has ${shown} left`, why, ...about }));
  }
  if (files > 0 && ffree < FEW_INODES) {
    const what = `The file system of ${root} takes ${ffree} more files and folders`;
    const id = ffree < NO_INODES ? 'disk.no-inodes' : 'disk.few-inodes';
    found.push(
      finding(id, {
        what,
        why: 'Each file takes an inode, and an environment has thousands of files',
        ...about,
      }),
    );
  }
  const isThere = (await stat(layout.algorithms).catch(() => undefined))?.isDirectory() === true;
  const reserve = await stat(layout.reserve).catch(() => undefined);
  if (isWritable && isThere && (reserve?.size ?? 0) < LEAST_RESERVE) {
    const what = `${layout.reserve} is ${reserve ? 'nearly empty' : 'not there'}`;
    const why = 'It was given up on a full disk, or removed';
    const fix = () => keepReserve(layout);
    found.push(finding('disk.no-reserve', { what, why, path: layout.reserve, ...(free >= FULL && { fix }) }));
  }
  return found;
}

/** A user who may write there decides what workers run. */
async function examineModes(layout: StoreLayout): Promise<Finding[]> {
  const { root, algorithms, deployedRoot, zips, activeRoot, registry, guides } = layout;
  const names = (await namesIn(activeRoot)).map((name) => path.join(activeRoot, name));
  const open = await writableByOthers([
    root,
    algorithms,
    deployedRoot,
    zips,
    activeRoot,
    registry,
    guides,
    ...names,
  ]);
  if (open.length === 0) return [];
  return [
    finding('store.writable-by-others', {
      what: `Every user of this machine may write to ${listed(open, ', ', MOST_NAMED)}`,
      why: 'The mode gives the right to others: what they put there is deployed, or served',
      path: open[0],
      fix: () => closeToOthers(open),
    }),
  ];
}

async function keptDamage({ root, algorithms, activeRoot, deployedRoot }: StoreLayout): Promise<Finding[]> {
  const kept: string[] = [];
  for (const folder of [root, algorithms, activeRoot, deployedRoot]) {
    for (const name of await namesIn(folder)) if (isSetAside(name)) kept.push(path.join(folder, name));
  }
  return kept.map((file) =>
    finding('damage.kept', {
      what: `${path.basename(file)} was put aside`,
      why: 'It was damaged, or lay in the place of a file of the store; what was on disk has taken its place',
      path: file,
    }),
  );
}

/** The mount that a folder is on. */
interface Mount {
  point: string;
  options: string[];
}

/** By `/proc/self/mountinfo` (proc(5)); undefined where there is none. */
async function mountOf(folder: string, { proc, platform }: Surroundings): Promise<Mount | undefined> {
  if (platform !== 'linux') return undefined;
  const real = await realpath(folder).catch(() => folder);
  const text = await readFile(path.join(proc, 'self', 'mountinfo'), 'utf8').catch(() => '');
  let best: Mount | undefined;
  for (const line of text.split('\n')) {
    const [, , , , written = '', options = ''] = line.split(' ');
    const point = written.replaceAll(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    const isAbove = point !== '' && (real === point || real.startsWith(point === '/' ? '/' : `${point}/`));
    // Of two mounts at one place the later is seen.
    if (isAbove && point.length >= (best?.point.length ?? 0)) best = { point, options: options.split(',') };
  }
  return best;
}
