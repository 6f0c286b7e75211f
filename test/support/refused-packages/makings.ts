import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { openArchive } from '../../../src/package/archive.js';
import { generateSigningKeys, signPackage } from '../../../src/package/integrity.js';
import {
  buildPackage,
  packageEntries,
  writeZip,
  type BuiltWheel,
  type PackageSource,
  type ZipEntry,
} from '../../../src/testing/index.js';
import type { PackageValidatorOptions } from '../../../src/validation/options.js';
import { packageFile, wheelOf } from '../package-file.js';

export const OPTICS = {
  name: 'optics',
  version: '1.0',
  files: { 'optics/__init__.py': 'x = 1\n'.repeat(500) },
};
export const optics = await wheelOf(OPTICS);
export const NEEDS = 'procvision_algorithm_sdk\noptics\n';

/** A package and what reads it. */
export interface Given {
  bytes: Uint8Array;
  options?: PackageValidatorOptions;
}
export type Making = () => Given | Promise<Given>;

export const build =
  (source: PackageSource, options?: PackageValidatorOptions): Making =>
  async () => ({ bytes: await buildPackage(source), options });

/** The package with optics, this wheel or this file in the wheel's place. */
export const withOptics =
  (wheel: BuiltWheel | Promise<BuiltWheel>, options?: PackageValidatorOptions): Making =>
  async () => ({ bytes: await buildPackage({ wheels: [await wheel], requirements: NEEDS }), options });
export const inPlace = (bytes: Uint8Array | string) =>
  withOptics({ file: optics.file, bytes: Buffer.from(bytes as string) });
/** Its entries, bent. */
export const bentWheel = (bend: (entries: ZipEntry[]) => ZipEntry[]): Making => {
  const entries = [
    { name: 'optics/__init__.py', data: '' },
    { name: 'optics-1.0.dist-info/METADATA', data: 'Metadata-Version: 2.1\nName: optics\nVersion: 1.0\n' },
    { name: 'optics-1.0.dist-info/WHEEL', data: 'Wheel-Version: 1.0\nTag: py3-none-any\n' },
    { name: 'optics-1.0.dist-info/RECORD', data: '' },
  ];
  return inPlace(writeZip(bend(entries)));
};
export const bent =
  (bend: (entry: ZipEntry) => ZipEntry[], more: ZipEntry[] = []): Making =>
  async () => {
    const entries = await packageEntries({ wheels: [optics], requirements: NEEDS });
    return { bytes: writeZip([...entries.flatMap(bend), ...more]) };
  };
export const ours = generateSigningKeys();
export const theirs = generateSigningKeys();
export const signed =
  (keys: { privateKey: string }, publicKeys = [ours.publicKey]): Making =>
  async () => {
    const file = await packageFile({});
    await signPackage(file, keys);
    return { bytes: await readFile(file), options: { integrity: { mode: 'strict', publicKeys } } };
  };
export const STRICT = { integrity: { mode: 'strict', publicKeys: [ours.publicKey] } } as const;
/** Signed, and then changed. */
export const altered: Making = async () => {
  const file = await packageFile({});
  await signPackage(file, ours);
  await using archive = await openArchive(file);
  const entry = archive.get('SIGNATURE');
  const data = entry && (await archive.read(entry));
  const bytes = await buildPackage({ requirements: '', extra: [{ name: 'SIGNATURE', data }] });
  return { bytes, options: STRICT };
};
export const hashed = (bytes: Uint8Array) =>
  build(
    {
      ...{ sdk: null, productIds: ['A01'], wheels: [optics] },
      requirements: `optics --hash=sha256:${createHash('sha256').update(bytes).digest('hex')}\n`,
    },
    { integrity: { mode: 'strict' } },
  );
export const manifestOf = (data: string | Uint8Array): Making =>
  bent((entry) => [entry.name.endsWith('/manifest.json') ? { ...entry, data } : entry]);
export const without = (end: string) =>
  bentWheel((entries) => entries.filter(({ name }) => !name.endsWith(end)));
export const metadata = (data: string) =>
  bentWheel((entries) => entries.map((one) => (one.name.endsWith('METADATA') ? { ...one, data } : one)));
export const good = withOptics(optics);
export const goodWheel = bentWheel((entries) => entries);
export const sample = build({});
export const startup = wheelOf({ ...OPTICS, files: { 'a.pth': 'import os\n' } });
export const manyFiles = wheelOf({
  ...OPTICS,
  files: Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`optics/${n}.py`, ''])),
});
export const largeFile = wheelOf({ ...OPTICS, files: { 'optics/__init__.py': 'x = 1\n'.repeat(10_000) } });
export const glass = await wheelOf({ name: 'glass', version: '2.1' });
export const needsGlass = await wheelOf({ ...OPTICS, requires: ['glass>=2'] });
export const included = { ...(await sourceFiles()), 'more.txt': 'procvision_algorithm_sdk\n' };

async function sourceFiles(): Promise<Record<string, string>> {
  const entries = await packageEntries();
  const files = entries.filter(({ name }) => name.startsWith('sample/algorithm/'));
  return Object.fromEntries(
    files.map(({ name, data }) => [name.slice(7), Buffer.from(data ?? '').toString()]),
  );
}
