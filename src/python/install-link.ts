import path from 'node:path';
import { normalizeProjectName } from '../package/wheel-name.js';
import { choiceKey, chooseWithPip, rememberChoice, rememberedChoice } from './choice.js';
import { chooseWithoutPip } from './choose-without-pip.js';
import type { Installation } from './install-pip.js';
import { FileLinker } from './link-files.js';
import { linkWheel } from './link-wheel.js';
import { choosePip } from './pip.js';
import type { InstallReport } from './types.js';
import type { WheelStore } from './wheel-store.js';

/** Share of the work that unpacking is, against linking; a wheel that is unpacked already counts as done. */
const UNPACK_SHARE = 0.9;

/**
 * Installs by linking unpacked wheels out of the store. The same wheels for the same requirements and interpreter need
 * neither pip nor unpacking.
 */
export async function installByLink(
  installation: Installation,
  store: WheelStore,
): Promise<InstallReport['installed']> {
  const { wheels, wheelsFolder, signal, onProgress } = installation;
  const estimate = wheels.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  onProgress('resolve', 0, estimate);
  const hashes = new Map<string, string>();
  for (const { file } of wheels) {
    hashes.set(file, await store.hashes.get(path.join(wheelsFolder, file), { signal }));
  }
  await store.hashes.save();
  const key = choiceKey(installation, hashes);
  const remembered = await rememberedChoice(store.choices, key, hashes);
  const hasPip = choosePip(installation.facts, wheelsFolder, wheels) !== undefined;
  const choose = hasPip ? chooseWithPip : chooseWithoutPip;
  const chosen = remembered ?? (await choose(installation, hashes));
  if (!remembered) await rememberChoice(store.choices, key, chosen);

  const sizes = new Map(wheels.map(({ file, sizeBytes }) => [file, sizeBytes]));
  let done = 0;
  const advance = (stage: 'unpack' | 'install', bytes: number) => {
    onProgress(stage, Math.floor(done + bytes), estimate);
  };
  const linker = new FileLinker();
  const installed: InstallReport['installed'] = [];
  for (const choice of chosen) {
    const { file } = choice;
    const size = sizes.get(file) ?? 0;
    const wheel = { path: path.join(wheelsFolder, file), sha256: hashes.get(file) ?? '' };
    const link = async () => {
      const { entry, folder } = await store.ensure(wheel, {
        signal,
        onProgress: (part, whole) => {
          advance('unpack', whole === 0 ? 0 : (size * UNPACK_SHARE * part) / whole);
        },
      });
      let files = 0;
      await linkWheel({
        ...installation,
        entry,
        folder,
        linker,
        chosen: choice,
        onFile: () => {
          files++;
          if (files % 256 === 0) {
            advance('install', size * (UNPACK_SHARE + ((1 - UNPACK_SHARE) * files) / entry.files.length));
          }
        },
      });
      installed.push({ name: normalizeProjectName(entry.name), version: entry.version, file });
    };
    await link().catch(async (error: unknown) => {
      // Pruned by another process between the check and the linking: once more, from the wheel.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      await link();
    });
    done += size;
    advance('install', 0);
  }
  return installed.sort((a, b) => (a.name < b.name ? -1 : 1));
}
