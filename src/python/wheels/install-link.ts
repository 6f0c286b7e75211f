import { rm } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { normalizeProjectName } from '../../package/wheel-name.js';
import {
  canReport,
  choiceKey,
  chooseWithPip,
  rememberChoice,
  rememberedChoice,
  type ChosenWheel,
} from '../choice/choice.js';
import { chooseByDownload } from '../choice/choose-by-download.js';
import { chooseWithoutPip } from '../choice/choose-without-pip.js';
import { EarlyUnpack } from './early-unpack.js';
import type { Installation, Installed } from '../pip/install-pip.js';
import { linkWheels, type LinkMode, type WheelToLink } from './link-wheels.js';
import { choosePip } from '../pip/pip.js';
import { settleRecords } from '../environments/installed-records.js';
import { inPipsOrder, type OrderedWheel } from './install-order.js';
import { helperErrno } from './store-helper.js';
import type { WheelEntry } from './wheel-entry.js';
import { WheelStore } from './wheel-store.js';

/** Share of the work that unpacking is, against linking; a wheel that is unpacked already counts as done. */
const UNPACK_SHARE = 0.9;

/** Once for wheels that were pruned or damaged meanwhile, and once more for luck. */
const MOST_ATTEMPTS = 3;

/**
 * Installs where no store is kept: the wheels are unpacked in the environment's folder and moved to their places, which
 * are their own then.
 */
export async function installFromWheels(installation: Installation): Promise<Installed> {
  const folder = path.join(installation.venv.dir, '.wheels');
  try {
    return await installByLink(installation, new WheelStore(folder), ['move']);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/**
 * Installs by linking unpacked wheels out of the store. The same wheels for the same requirements and interpreter need
 * neither pip nor unpacking.
 */
export async function installByLink(
  installation: Installation,
  store: WheelStore,
  ways?: readonly LinkMode[],
): Promise<Installed> {
  const { venv, wheels, wheelsFolder, signal, onProgress } = installation;
  const estimate = wheels.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  onProgress('resolve', 0, estimate);
  const hashes = new Map<string, string>();
  for (const { file } of wheels) {
    hashes.set(file, await store.hashes.get(path.join(wheelsFolder, file), { signal }));
  }
  await store.hashes.save();
  const helper = { python: venv.interpreter.path, timeoutMs: installation.timeoutMs, signal };
  const sizes = new Map(wheels.map(({ file, sizeBytes }) => [file, sizeBytes]));
  const totalOf = (choice: readonly ChosenWheel[]) =>
    choice.reduce((sum, { file }) => sum + (sizes.get(file) ?? 0), 0);
  const key = choiceKey(installation, hashes);
  let chosen = await rememberedChoice(store.choices, key, hashes);
  if (!chosen) {
    const early = new EarlyUnpack(installation, store, { hashes, helper });
    try {
      chosen = await choose(installation, hashes);
      await rememberChoice(store.choices, key, chosen);
    } catch (error) {
      await early.stop();
      throw error;
    }
    const total = totalOf(chosen);
    await early.finish(new Set(chosen.map(({ file }) => file)), (done) => {
      onProgress('unpack', Math.floor(done * UNPACK_SHARE), total);
    });
    throwIfAborted(signal, 'installation');
  }

  const total = totalOf(chosen);
  const suspects = new Set<string>();
  for (let attempt = 1; ; attempt++) {
    let done = 0;
    const stored: WheelToLink[] = [];
    for (const choice of chosen) {
      const { file } = choice;
      const size = sizes.get(file) ?? 0;
      const sha256 = hashes.get(file) ?? '';
      const wheel = await store.ensure(
        { path: path.join(wheelsFolder, file), sha256 },
        {
          ...helper,
          limits: installation.limits,
          isSuspect: suspects.has(store.folderOf(sha256)),
          onProgress: (part, whole) => {
            const share = whole === 0 ? 0 : part / whole;
            onProgress('unpack', Math.floor((done + size * share) * UNPACK_SHARE), total);
          },
        },
      );
      stored.push({ ...wheel, chosen: choice });
      done += size;
      onProgress('unpack', Math.floor(done * UNPACK_SHARE), total);
    }
    suspects.clear();
    const ordered = inPipsOrder(
      stored.map((one) => ({ ...one, ...pickOrder(one.entry) })),
      installation.requirements.lines,
      installation.facts.markers,
    );
    const files = stored.reduce((sum, { entry }) => sum + entry.files, 0);
    const touched = await linkWheels(ordered, {
      ...{ ...helper, venv, facts: installation.facts, ways },
      onProgress: (linked) => {
        onProgress(
          'install',
          Math.floor(total * (UNPACK_SHARE + ((1 - UNPACK_SHARE) * linked) / files)),
          total,
        );
      },
    }).catch((error: unknown) => {
      // Pruned by another process between the check and the linking: once more, from the wheels.
      if (attempt === 1 && helperErrno(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (touched?.length === 0) {
      const installed = stored
        .map(({ entry, chosen: { file } }) => ({
          name: normalizeProjectName(entry.name),
          version: entry.version,
          file,
        }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      const entries = new Map(stored.map(({ entry }) => [entry.info, entry]));
      const { warnings } = await settleRecords(venv, {
        signal,
        // What RECORD says of the others was compared when they were unpacked.
        trusted: (info) => entries.get(info)?.oddities.length === 0,
        wheelOf: (info) => entries.get(info)?.file ?? info,
      });
      return { installed, warnings };
    }
    if (attempt === MOST_ATTEMPTS) throw keepsChanging(store.root);
    for (const folder of touched ?? []) suspects.add(folder);
  }
}

function choose(installation: Installation, hashes: ReadonlyMap<string, string>): Promise<ChosenWheel[]> {
  const { facts, wheelsFolder, wheels } = installation;
  if (choosePip(facts, wheelsFolder, wheels) === undefined) return chooseWithoutPip(installation, hashes);
  return canReport(facts) ? chooseWithPip(installation) : chooseByDownload(installation);
}

function pickOrder({ name, requires, extras }: WheelEntry): OrderedWheel {
  return { name, requires, extras };
}

function keepsChanging(root: string): RunnerError {
  return new RunnerError(
    'install_failed',
    `Files of the wheel store ${root} keep changing: find out what writes to them, or name another folder as wheelStore`,
    { details: { path: root } },
  );
}
