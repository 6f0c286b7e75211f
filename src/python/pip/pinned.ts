import { copyFile, link, mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import type { ChosenWheel } from '../choice/choose.js';
import type { RequirementTree } from '../../package/requirement-tree.js';
import { parseWheelName } from '../../package/wheel-name.js';

/** What pip is given in place of the requirements: wheels that were chosen, and nothing else to choose from. */
export interface PinnedWheels {
  /** Folder with these wheels alone. */
  folder: string;
  /** What the requirements ask for, in these versions. */
  requirements: string[];
  /** The versions of what those ask for. */
  constraints: string[];
}

/** Puts the chosen wheels into a folder of their own: which of several wheels of one version pip takes depends on the pip. */
export async function pinWheels(
  chosen: readonly ChosenWheel[],
  { requirements: lines }: Pick<RequirementTree, 'requirements'>,
  o: { wheelsFolder: string; folder: string },
): Promise<PinnedWheels> {
  await mkdir(o.folder);
  const pinned: PinnedWheels = { folder: o.folder, requirements: [], constraints: [] };
  for (const { file, project, requested, writtenName } of chosen) {
    await linkInto(path.join(o.wheelsFolder, file), path.join(o.folder, file));
    const version = parseWheelName(file, 0)?.version ?? '';
    const extras = [...new Set(lines.flatMap((line) => (line.name === project ? line.extras : [])))];
    const asked = requested && extras.length > 0 ? `[${extras.join(',')}]` : '';
    const written = `${writtenName}${asked}==${version}`;
    (requested ? pinned.requirements : pinned.constraints).push(written);
  }
  return pinned;
}

/** By a link of any kind where the system makes one: wheels may have gigabytes. */
async function linkInto(from: string, to: string): Promise<void> {
  const ways = process.platform === 'win32' ? [link, copyFile] : [symlink, link, copyFile];
  for (const [index, way] of ways.entries()) {
    try {
      await way(path.resolve(from), to);
      return;
    } catch (error) {
      if (index === ways.length - 1) throw error;
    }
  }
}
