import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Generation } from '../package/types.js';
import { givenProductIds } from '../product-ids.js';
import { sampleAlgorithm } from './sample-algorithm.js';
import { buildStandInSdk, type BuiltWheel } from './stand-in-sdk.js';
import { writeZip, type ZipEntry } from './zip-writer.js';

/** Where the parts of a package stand in its zip. */
export type PackageLayout =
  /** `<folder>/manifest.json…` and `wheels/` at the top, as the packaging tool makes it. */
  | 'beside'
  /** Everything at the top. */
  | 'flat'
  /** Everything in `<folder>/`, `wheels/` too. */
  | 'inside';

/** What a package is made from; `{}` gives a small package that deploys and runs. */
export interface PackageSource {
  /** Name of the package. @defaultValue 'sample' */
  name?: string;
  /** Version of the package. @defaultValue '1.0.0' */
  version?: string;
  /** How it is called. @defaultValue 'phased' */
  generation?: Generation;
  /** Product ids it supports. @defaultValue `['A01']`, none for execute-only */
  productIds?: string[];
  /** Old name of `productIds`. @deprecated use `productIds`: it stays for one minor version */
  pids?: string[];
  /** Replaces fields of the manifest; a field set to `undefined` is left out. */
  manifest?: Record<string, unknown>;
  /** Source files by path below the algorithm root. @defaultValue `algorithm/__init__.py` and `algorithm/main.py` with {@link sampleAlgorithm} */
  files?: Record<string, string | Uint8Array>;
  /** Text of requirements.txt; `null` leaves it out. @defaultValue the vendored SDK's name */
  requirements?: string | null;
  /** Wheels besides the SDK's. */
  wheels?: BuiltWheel[];
  /** The SDK's wheels; `null` vendors none. @defaultValue {@link defaultSdkWheels} of the generation */
  sdk?: BuiltWheel[] | null;
  /** Where its parts stand in the zip. @defaultValue 'beside' */
  layout?: PackageLayout;
  /** Project folder of the layouts that have one. @defaultValue the package's name */
  folder?: string;
  /** Entries added as they are, after all others. */
  extra?: ZipEntry[];
  /** Store instead of deflate. @defaultValue false */
  stored?: boolean;
}

/**
 * An offline package as delivered: the bytes of a zip.
 *
 * @example
 * ```ts
 * const zip = await buildPackage({ name: 'board-check', version: '1.2.0', productIds: ['BOARD-7'] });
 * const broken = await buildPackage({ manifest: { entry_point: undefined } }); // manifest_invalid
 * const foreign = await buildPackage({ generation: 'execute-only', layout: 'flat' });
 * ```
 */
export async function buildPackage(source: PackageSource = {}): Promise<Uint8Array> {
  return writeZip(await packageEntries(source));
}

/**
 * The entries {@link buildPackage} writes, for those who want to bend them first.
 *
 * @example
 * ```ts
 * const entries = await packageEntries();
 * const twice = writeZip([...entries, ...entries]); // every name is there twice
 * ```
 */
export async function packageEntries(source: PackageSource = {}): Promise<ZipEntry[]> {
  const { name = 'sample', version = '1.0.0', generation = 'phased', layout = 'beside' } = source;
  const given = givenProductIds('buildPackage({ productIds })', source);
  const productIds = given ?? (generation === 'phased' ? ['A01'] : undefined);
  const manifest = {
    name,
    version,
    entry_point: 'algorithm.main:Algorithm',
    ...(productIds && { supported_pids: productIds }),
    ...source.manifest,
  };
  const files = source.files ?? {
    'algorithm/__init__.py': '',
    'algorithm/main.py': sampleAlgorithm({ generation, name, version, productIds: productIds ?? [] }),
  };
  const sdk = source.sdk === null ? [] : (source.sdk ?? (await defaultSdkWheels(generation)));
  const requirements =
    source.requirements === undefined
      ? sdk.length > 0
        ? 'procvision_algorithm_sdk\n'
        : ''
      : source.requirements;

  const root = layout === 'flat' ? '' : `${source.folder ?? name}/`;
  const wheelsRoot = layout === 'inside' ? `${root}wheels/` : 'wheels/';
  const { stored } = source;
  // A real SDK brings NumPy along, which the source may name as well: once is enough.
  const wheels = new Map([...sdk, ...(source.wheels ?? [])].map(({ file, bytes }) => [file, bytes]));
  return [
    { name: `${root}manifest.json`, data: JSON.stringify(manifest, null, 2), stored },
    ...(requirements === null ? [] : [{ name: `${root}requirements.txt`, data: requirements, stored }]),
    ...Object.entries(files).map(([file, data]) => ({ name: `${root}${file}`, data, stored })),
    { name: wheelsRoot },
    ...[...wheels].map(([file, data]) => ({ name: `${wheelsRoot}${file}`, data, stored })),
    ...(source.extra ?? []),
  ];
}

/**
 * Default SDK wheels of a package: the stand-in, or the real SDK wheel of this generation that the environment
 * variable `PROCVISION_SDK_WHEEL` names. More wheels it needs (NumPy) follow in the same variable, separated as in
 * `PATH`.
 *
 * @example
 * ```ts
 * const [sdk] = await defaultSdkWheels('phased');
 * const zip = await buildPackage({ sdk: sdk ? [sdk] : null });
 * ```
 */
export async function defaultSdkWheels(generation: Generation): Promise<BuiltWheel[]> {
  const files = (process.env.PROCVISION_SDK_WHEEL ?? '').split(path.delimiter).filter((file) => file !== '');
  const version = /^procvision_algorithm_sdk-(\d+)\.(\d+)/.exec(path.basename(files[0] ?? ''));
  if (version) {
    const isExecuteOnly = Number(version[1]) > 0 || Number(version[2]) >= 3;
    if (isExecuteOnly === (generation === 'execute-only')) {
      return Promise.all(
        files.map(async (file) => ({ file: path.basename(file), bytes: await readFile(file) })),
      );
    }
  }
  return [await buildStandInSdk({ generation })];
}
