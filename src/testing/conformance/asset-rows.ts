import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../../errors.js';
import { requiredAssets, type RequiredAsset } from '../../package/required-assets.js';
import type { Manifest } from '../../package/types.js';
import { readJson } from '../../store/atomic-file.js';
import { checkedAssets } from '../../supervisor/deployments/assets.js';
import { AlgorithmWorker } from '../../worker/algorithm-worker.js';
import { temporaryFolder } from '../temporary-folder.js';
import type { Ledger } from './ledger.js';
import type { Subject } from './subject.js';

/** What belongs to the environment, or to the store, and not to the algorithm root. */
const LEFT_OUT = ['venv', 'wheels'];
/** No format that a file is read as begins so. */
const GARBAGE = Buffer.alloc(64, 0xff);

/** Runs what becomes of a version whose assets are missing or damaged, on copies of its folder. */
export async function runAssetRows(subject: Subject, ledger: Ledger): Promise<void> {
  if (!ledger.wants(11, 12, 13)) return;
  const { entry, spec } = subject;
  const { assets } = requiredAssets((await readJson(path.join(spec.root, 'manifest.json'))) as Manifest);
  await ledger.run(11, async () => {
    if (assets.length === 0) {
      ledger.skip(11, 'its manifest names no assets');
      return;
    }
    await using empty = await temporaryFolder();
    const error = await checkedAssets(empty.path, entry).catch((reason: unknown) => reason);
    if (RunnerError.is(error, 'start_failed')) ledger.see(11, 'host: without its assets it is not started');
    else ledger.fail(11, 'it is started without its assets: install it again, so that they are known');
  });
  for (const row of [12, 13]) {
    const files = assets.filter((asset) => rowOf(asset) === row);
    if (files.length === 0)
      ledger.skip(row, `its manifest names no ${row === 12 ? 'configuration' : 'model or template'}`);
    for (const file of new Set(files.map((asset) => asset.path))) {
      await ledger.run(row, async () => checkDamaged(subject, ledger, row, file));
    }
  }
}

/** Kinds are free: what is called a configuration is one, everything else is what the algorithm computes with. */
function rowOf({ field }: RequiredAsset): number {
  return field.startsWith('default_config.') || /\.conf[^.]*$/i.test(field) ? 12 : 13;
}

/** The start has to fail: an algorithm that reads the file with its first call takes the line down with a board in it. */
async function checkDamaged(subject: Subject, ledger: Ledger, row: number, file: string): Promise<void> {
  if (!subject.isPhased) {
    ledger.skip(row, 'the execute-only generation has no setup()');
    return;
  }
  const { spec, policy, options } = subject;
  await using folder = await temporaryFolder();
  const root = path.join(folder.path, 'version');
  const isLeftOut = (source: string) => LEFT_OUT.includes(path.relative(spec.root, source));
  await cp(spec.root, root, { recursive: true, filter: (source) => !isLeftOut(source) });
  await mkdir(path.dirname(path.join(root, file)), { recursive: true });
  await writeFile(path.join(root, file), GARBAGE);
  // A folder of its own: what is hidden from the workers of a store is not asked of a copy.
  await using worker = new AlgorithmWorker({ ...spec, root, store: undefined }, policy.limits);
  try {
    await worker.start({ signal: options.signal });
  } catch (error) {
    if (!RunnerError.is(error, 'start_failed')) throw error;
    ledger.see(row, `with a damaged ${file} it does not start`);
    return;
  }
  ledger.fail(
    row,
    `it starts with a damaged ${file}: read the file in setup(), and let what fails there be raised`,
  );
}
