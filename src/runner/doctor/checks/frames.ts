import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { abandonedFrameFolders, sweepFrameFolders } from '../../../frames/frame-folder.js';
import { loadMemoryCalls } from '../../../frames/memory-calls.js';
import { loadMappingCalls } from '../../../frames/named-memory.js';
import { SharedMemory } from '../../../frames/shared-memory.js';
import { RunnerError } from '../../../errors.js';
import { finding, type Finding } from '../finding.js';
import type { Surroundings } from '../surroundings.js';
import type { Examination } from './context.js';

const MIB = 2 ** 20;
/** Less holds no picture, nor the record of a pool's owner. */
const LEAST_FREE = MIB;
/** Docker gives 64 MiB. */
const SMALL = 128 * MIB;

/** Where pictures go: the folder of frames, the optional packages, and what dead hosts left. */
export async function examineFrames({ layout, surroundings, frames }: Examination): Promise<Finding[]> {
  const found: Finding[] = [];
  const folder = frames.directory ?? surroundings.sharedMemory;
  const koffi = frames.mapped === false ? undefined : await examineKoffi(surroundings, found);
  if (surroundings.platform === 'linux' || frames.directory !== undefined) {
    found.push(
      ...(await examineFolder(folder, {
        // As `defaultFrameRoot` has it.
        instead:
          frames.directory === undefined
            ? `Frames are files in ${layout.frames}, which may be a disk`
            : 'The frame pool cannot be opened',
        isMapped: koffi === true,
      })),
    );
  }
  if (frames.sharp !== false) found.push(...(await examineSharp(surroundings)));
  for (const root of new Set([folder, layout.frames, surroundings.temp]))
    found.push(...(await leftFrames(root)));
  return found;
}

/** Whether frames can be memory without a name. */
async function examineKoffi(
  { platform, loadPeer }: Surroundings,
  found: Finding[],
): Promise<boolean | undefined> {
  if (platform !== 'linux' && platform !== 'win32') return undefined;
  const refusal = await tryToLoad(loadPeer, 'koffi');
  if (refusal && refusal.isMissing === undefined) return undefined;
  if (refusal?.isMissing) {
    found.push(
      finding('koffi.missing', {
        what: 'koffi is not installed',
        why:
          platform === 'linux'
            ? 'With it frames are sealed memory that workers map: no file is written, and no copy is made'
            : 'With it frames are memory that workers map, status() tells what workers take, and messages name who holds a file',
      }),
    );
    return false;
  }
  if (platform === 'win32' && !refusal) {
    const module = await loadPeer('koffi');
    if (loadMappingCalls(platform, () => module)) return true;
  }
  const calls = refusal ? undefined : await loadMemoryCalls(platform, () => loadPeer('koffi'));
  if (calls && (await SharedMemory.isThere(calls))) return true;
  found.push(
    finding('koffi.broken', {
      what: 'koffi is installed, and frames are written to files all the same',
      why:
        refusal?.message ??
        (calls
          ? 'The kernel has no sealed memory (before 5.1), or the container forbids memfd_create'
          : 'It found no system library of a known kind (musl, or another processor)'),
    }),
  );
  return false;
}

async function examineSharp({ loadPeer }: Surroundings): Promise<Finding[]> {
  const refusal = await tryToLoad(loadPeer, 'sharp');
  if (refusal?.isMissing === undefined) return [];
  if (!refusal.isMissing) {
    return [
      finding('sharp.broken', { what: 'sharp is installed and cannot be loaded', why: refusal.message }),
    ];
  }
  const why = 'JPEG and PNG are decoded by this library; TIFF and WebP need sharp';
  return [finding('sharp.missing', { what: 'sharp is not installed', why })];
}

async function tryToLoad(
  load: Surroundings['loadPeer'],
  name: string,
): Promise<{ isMissing: boolean | undefined; message: string } | undefined> {
  try {
    await load(name);
    return undefined;
  } catch (error) {
    // The files of this library are not there, so that nothing is known of others: that is a finding of its own.
    if (RunnerError.is(error)) return { isMissing: undefined, message: error.message };
    const { code, message } = error as NodeJS.ErrnoException;
    // A package that is installed may ask for another that is missing.
    const isMissing = code === 'MODULE_NOT_FOUND' && message.includes(`'${name}'`);
    return { isMissing, message: message.split('\n')[0] ?? message };
  }
}

async function examineFolder(
  folder: string,
  { instead, isMapped }: { instead: string; isMapped: boolean },
): Promise<Finding[]> {
  const about = { path: folder };
  const stats = await stat(folder).catch(() => undefined);
  if (!stats?.isDirectory()) {
    const what = stats ? `${folder} is no folder` : `There is no ${folder}`;
    return [finding('shm.missing', { what, why: instead, ...about })];
  }
  try {
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const why = `${(error as Error).message}. ${instead}`;
    return [finding('shm.unwritable', { what: `${folder} cannot be written to`, why, ...about })];
  }
  const { bavail, blocks, bsize } = await statfs(folder);
  const [free, total] = [bavail * bsize, blocks * bsize];
  if (blocks > 0 && free < LEAST_FREE) {
    const what = `${folder} has ${Math.round(free / 1024)} KiB left of ${Math.round(total / MIB)} MiB`;
    const why = 'Neither frames nor the shared memory of algorithms have room there';
    return [finding('shm.full', { what, why, ...about })];
  }
  if (isMapped || blocks === 0 || total >= SMALL) return [];
  const what = `${folder} has ${Math.round(total / MIB)} MiB in all`;
  const why = 'Frames are files there: a picture of 20 megapixels has 60 MB';
  return [finding('shm.small', { what, why, ...about })];
}

async function leftFrames(root: string): Promise<Finding[]> {
  return (await abandonedFrameFolders(root)).map((folder) =>
    finding('frames.left', {
      what: `${folder} has the frames of a host that is dead`,
      why: 'It was ended by SIGKILL or a power cut, and could not remove them',
      path: folder,
      fix: async () => {
        await sweepFrameFolders(root);
      },
    }),
  );
}
