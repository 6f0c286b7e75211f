import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { Archive, PlacedEntry } from '../../package/archive-types.js';
import { openArchive } from '../../package/archive/open-archive.js';
import { BUILD_AGAIN, zipFault } from '../../package/archive/fault.js';
import type { ArchiveLimits } from '../../package/types.js';
import { distInfoFolders, needsOf, parseMetadata } from '../../package/wheel-metadata.js';
import { checkPlaces, isByteCode } from '../../package/wheel-places.js';
import { ownBootId } from '../../process/identity.js';
import { readJson, writeJsonAtomic, type Durability } from '../../store/atomic-file.js';
import { entryPointsFault, parseEntryPoints, type EntryPoints } from '../../package/entry-points.js';
import { decodeUtf8 } from '../../package/text.js';
import { identityIn } from '../environments/record.js';
import type { Turns } from '../turns.js';
import type { StoreHelper } from './store-helper.js';

/**
 * What the store knows of an unpacked wheel: `entry.json` beside its `tree/`, written last. The list of its files,
 * which may be ten thousands, is in `files.jsonl`, and read by the helper alone.
 */
export interface WheelEntry {
  format: 3;
  sha256: string;
  /** File name of the wheel it was made from. */
  file: string;
  name: string;
  version: string;
  /** Its `.dist-info` folder. */
  info: string;
  /** Whether its root goes to purelib rather than platlib. */
  purelib: boolean;
  /** How many files it has, and their bytes. */
  files: number;
  bytes: number;
  /** What RECORD gives for METADATA and WHEEL, by path: tells whether an environment holds this very wheel. */
  marks: Record<string, string>;
  scripts: EntryPoints;
  /** What METADATA says; absent in entries of earlier releases. */
  metadata?: ReturnType<typeof parseMetadata> & ReturnType<typeof needsOf>;
  /** Where RECORD and contents differ in what pip does not check: one string per row, and the actual content. */
  oddities: RecordOddity[];
  /** Whether every file was on the disk before the entry was published. */
  durable?: boolean;
  /** Boot in which the content was last known to be good; a wheel that is not durable is read again once after a reboot. */
  boot_id: string;
}

/** A row of a RECORD that does not tell the truth about a file that is no code. */
export interface RecordOddity {
  /** As the row has it. */
  path: string;
  /** What is odd about it, in words that follow the path. */
  text: string;
  /** The hash that the file has, as RECORD writes it; absent for a file that is not there. */
  hash?: string;
}

const ENTRY_FILE = 'entry.json';

/** Folder of an entry's unpacked wheel. */
export const treeOf = (folder: string): string => path.join(folder, 'tree');

/** How an entry is built. */
interface BuildOptions extends OperationOptions {
  helper: StoreHelper;
  /** Of those that build side by side: the directory of one is in memory at a time. */
  turns: Turns;
  durability: Durability;
  /** What the wheel is held to. */
  limits?: Partial<ArchiveLimits>;
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/**
 * Unpacks a wheel into `folder`, verified by its RECORD and made read-only.
 *
 * @throws RunnerError `install_failed` for a wheel that is not as its RECORD says or breaks PEP 427; `invalid_zip`
 */
export async function buildEntry(
  folder: string,
  wheel: { path: string; sha256: string },
  options: BuildOptions,
): Promise<WheelEntry> {
  await mkdir(folder, { recursive: true });
  const giveUpTurn = await options.turns.take();
  try {
    const archive = await openArchive(wheel.path, { limits: options.limits, signal: options.signal });
    try {
      // From then on the helper knows what there is.
      const onHandedOver = () => {
        archive.forget();
        giveUpTurn();
      };
      return await buildFrom(archive, folder, wheel, { ...options, onHandedOver });
    } finally {
      await archive.discard();
    }
  } finally {
    giveUpTurn();
  }
}

async function buildFrom(
  archive: Archive,
  folder: string,
  wheel: { path: string; sha256: string },
  options: BuildOptions & { onHandedOver: () => void },
): Promise<WheelEntry> {
  const faulty = (what: string) =>
    new RunnerError('install_failed', `The wheel ${wheel.path} ${what}. Have it built or delivered again`, {
      details: { path: wheel.path, stage: 'unpack' },
    });
  const infos = distInfoFolders(archive);
  const [info = ''] = infos;
  if (infos.size !== 1) throw faulty(`has ${infos.size} .dist-info folders, not one`);
  const bytes = async (name: string): Promise<Buffer | undefined> => {
    const entry = archive.get(`${info}/${name}`);
    return entry && (await archive.read(entry, { signal: options.signal }));
  };
  const text = async (name: string): Promise<string | undefined> => {
    const content = await bytes(name);
    const decoded = content && decodeUtf8(content);
    if (content && decoded === undefined) throw faulty(`has a ${info}/${name} that is not UTF-8`);
    return decoded;
  };
  const wheelText = await text('WHEEL');
  if (!/^Wheel-Version:\s*1(?:\.|\s*$)/im.test(wheelText ?? ''))
    throw faulty('has no WHEEL file of version 1');
  const metadata = await text('METADATA');
  const identity = metadata === undefined ? undefined : identityIn(metadata, info);
  if (!identity) throw faulty('has no METADATA with Name and Version');
  await checkPlaces(archive, identity.name, options);
  const scripts = parseEntryPoints((await text('entry_points.txt')) ?? '');
  const fault = entryPointsFault(scripts);
  if (fault !== undefined) throw faulty(fault);
  const needs = needsOf(archive);
  let learnt: { marks: Record<string, string>; oddities: RecordOddity[] } = { marks: {}, oddities: [] };
  const { files, bytes: unpackedBytes } = await archive.extract(treeOf(folder), {
    signal: options.signal,
    onProgress: options.onProgress,
    place: ({ name }) => (isByteCode(name) ? undefined : name),
    unpackFiles: async (placed, { signal, onProgress }) => {
      const request = {
        ...{ do: 'unpack', archive: wheel.path, folder, info, marks: ['METADATA', 'WHEEL'] },
        sync: options.durability === 'full',
      };
      learnt = await options.helper.ask<typeof learnt>(request, {
        ...{ signal, onProgress },
        lines: linesOf(placed, options.onHandedOver),
        onFault: (fault) =>
          fault.entry === undefined
            ? faulty(fault.text)
            : zipFault(wheel.path, fault.text, fault.entry, { remedy: BUILD_AGAIN }),
      });
    },
  });
  return {
    format: 3,
    sha256: wheel.sha256,
    file: path.basename(wheel.path),
    ...identity,
    info,
    purelib: /^Root-Is-Purelib:\s*true\s*$/im.test(wheelText ?? ''),
    files,
    bytes: unpackedBytes,
    ...learnt,
    scripts,
    ...(metadata !== undefined && { metadata: { ...parseMetadata(metadata), ...needs } }),
    durable: options.durability === 'full',
    boot_id: await ownBootId(),
  };
}

/** The files as the helper takes them, many in a line: a line costs more than what it says of a file. */
function* linesOf(placed: readonly PlacedEntry[], onEnd: () => void): Generator<unknown[]> {
  for (let from = 0; from < placed.length; from += FILES_IN_A_LINE) {
    yield placed.slice(from, from + FILES_IN_A_LINE).map(({ to, entry, offset, length }) => {
      const { method, sizeBytes, crc32, mode = 0, isMarkedAsFile = false } = entry;
      // pip makes no program of what is not marked as a file, as Bazel writes its entries.
      const isProgram = isMarkedAsFile && (mode & 0o111) !== 0;
      return [to, offset, length, method, sizeBytes, crc32, isProgram];
    });
  }
  onEnd();
}

const FILES_IN_A_LINE = 128;

/** Writes the marker that makes an entry complete. */
export async function writeEntry(folder: string, entry: WheelEntry): Promise<void> {
  await writeJsonAtomic(path.join(folder, ENTRY_FILE), entry, entry.durable ? 'full' : 'none');
}

/** The entry in a folder; undefined when there is none, or none that can be read. */
export async function readEntry(folder: string): Promise<WheelEntry | undefined> {
  const value = await readJson(path.join(folder, ENTRY_FILE)).catch(() => undefined);
  const isEntry = typeof value === 'object' && value !== null && 'format' in value && value.format === 3;
  return isEntry ? (value as WheelEntry) : undefined;
}

/**
 * Reads every file of an entry and compares it with its RECORD. Files that were only touched get back the time that
 * is on record.
 */
export async function isSound(
  folder: string,
  { info, oddities }: WheelEntry,
  { helper, signal }: { helper: StoreHelper } & OperationOptions,
): Promise<boolean> {
  const { sound } = await helper.ask<{ sound: boolean }>(
    { do: 'check', folder, info, oddities },
    {
      signal,
      onFault: ({ text }) =>
        new RunnerError('install_failed', `${folder} ${text}`, { details: { path: folder } }),
    },
  );
  return sound;
}
