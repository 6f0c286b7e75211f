import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openArchive } from '../../src/package/archive.js';
import type { PackageInspection } from '../../src/package/types.js';
import type { PackageSteps } from '../../src/deploy/package-steps.js';

/** Steps of an install without Python: what is proven with them is the store, not the package. */
export const plainSteps: PackageSteps = {
  open: async (zip, o) => {
    const archive = await openArchive(zip, o);
    const manifestEntry = archive.entries.find(({ name }) => /(^|\/)manifest\.json$/.test(name));
    if (!manifestEntry) throw new Error('no manifest');
    const manifest = JSON.parse(
      (await archive.read(manifestEntry)).toString(),
    ) as PackageInspection['manifest'];
    const prefix = manifestEntry.name.slice(0, -'manifest.json'.length);
    return {
      path: zip,
      inspection: {
        ...{ name: manifest.name, version: manifest.version, manifest, generation: 'phased' as const },
        ...{ wheels: [], requirements: [], python: {}, entries: archive.entries.length },
        ...{ sizeBytes: archive.sizeBytes, unpackedBytes: archive.unpackedBytes, checks: [], warnings: [] },
      },
      unpack: async (target, { signal, onProgress }) => {
        const { sha256 = '' } = await archive.extract(target, {
          oneReading: true,
          signal,
          onProgress,
          place: ({ name }) => (name.startsWith(prefix) ? name.slice(prefix.length) || undefined : name),
        });
        return { sha256, hashes: new Map() };
      },
      [Symbol.asyncDispose]: () => archive.close(),
    };
  },
  openFolder: async (folder) => {
    const text = await readFile(path.join(folder, 'manifest.json'), 'utf8');
    const manifest = JSON.parse(text) as PackageInspection['manifest'];
    return {
      path: folder,
      inspection: {
        ...{ name: manifest.name, version: manifest.version, manifest, generation: 'phased' as const },
        ...{ wheels: [], requirements: [], python: {}, entries: 1, sizeBytes: 1, unpackedBytes: 1 },
        ...{ checks: [], warnings: [] },
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  },
  early: () => Promise.resolve(undefined),
  environment: async (root) => {
    const dir = path.join(root, 'venv');
    await mkdir(dir);
    await writeFile(path.join(dir, 'pyvenv.cfg'), 'home = /usr/bin\n');
    const interpreter = {
      ...{ path: '/usr/bin/python3', version: '3.11.0', implementation: 'cpython', abi: 'cp311' },
      ...{ platform: 'linux_x86_64', tags: new Set<string>() },
    };
    return {
      venv: { dir, python: '', sitePackages: '', interpreter },
      hashes: new Map(),
      sharedAreDurable: false,
    };
  },
  smoke: () => Promise.resolve({}),
  compiling: () => Promise.resolve(undefined),
  tidy: () => Promise.resolve({ freedBytes: 0 }),
};
