import fs from 'node:fs';
import path from 'node:path';
import {
  checkKeySet,
  createKeySet,
  generateSigningKeys,
  rootOf,
  writeKeySet,
} from '../../../src/signing/index.js';
import { buildPackage, buildWheel, wheelFileName } from '../../../src/testing/index.js';
import { buildElf, OTHER_MACHINE } from '../binaries.js';
import { PYTHON_IN } from '../environment-places.js';
import { IS_WINDOWS } from '../platform.js';
import {
  editRegistry,
  HOUR_MS,
  NO_MODES,
  notLinux,
  overwrite,
  PYTHON,
  type Fault,
  type Station,
} from './station.js';

/** Gives the station other options. */
const options = (given: Station['options']) => (station: Station) => {
  station.options = given;
};

/** A version's file with a library of ELF in its environment. */
const withLibrary = (name: string, bytes: Buffer | string): Fault['make'] => ({ wheels: { [name]: bytes } });

async function keySet(station: Station, expires: Date): Promise<{ file: string; root: string }> {
  const keys = generateSigningKeys();
  const rootExpires = new Date(Date.now() + 365 * 24 * HOUR_MS);
  const holders = { keys: [keys.publicKey], threshold: 1 };
  const signers = [{ name: 'maker', keys: [keys.publicKey] }];
  const made = await createKeySet(
    { root: holders, rootExpires, expires, signers },
    { privateKeys: [keys.privateKey] },
  );
  await checkKeySet(made, { now: new Date(expires.getTime() - 1000) });
  const folder = path.join(station.folder, 'keys. of the line'); // as a message would end
  fs.mkdirSync(folder, { recursive: true });
  const [file, root] = [path.join(folder, 'keys.json'), path.join(folder, 'root.json')];
  await writeKeySet(file, made);
  await writeKeySet(root, rootOf(made));
  station.options = { integrity: { mode: 'strict', keySet: { file, root } } };
  return { file, root };
}

const inDays = (days: number) => new Date(Math.floor((Date.now() + days * 24 * HOUR_MS) / 1000) * 1000);

/** Puts a library where the linker of this station looks. */
function provide(name: string, bytes = buildElf()): (station: Station) => void {
  return ({ folder, surroundings }) => {
    const place = path.join(folder, 'system');
    fs.mkdirSync(place, { recursive: true });
    fs.writeFileSync(path.join(place, name), bytes);
    surroundings.places = { libraryPath: place };
  };
}

/** Takes the seal from the version: what was mended by hand is no drift of this test. */
async function forget(root: string): Promise<void> {
  const file = path.join(root, 'registry.json');
  const content = JSON.parse(fs.readFileSync(file, 'utf8')) as { packages: Record<string, unknown>[] };
  for (const entry of content.packages) delete entry.inventory_sha256;
  fs.writeFileSync(file, JSON.stringify(content, null, 2));
  return Promise.resolve();
}

const FAULTS: readonly Fault[] = [
  {
    title: 'a version whose folder was removed',
    id: 'version.incomplete',
    names: 'is not there',
    inject: ({ version }) => fs.rmSync(version, { recursive: true }),
    remedy: (station) => station.reinstall(),
  },
  {
    title: 'a version whose marker was removed',
    id: 'version.incomplete',
    names: 'is not complete',
    inject: ({ version }) => fs.rmSync(path.join(version, '.procvision-version.json')),
    remedy: (station) => station.reinstall(),
  },
  {
    title: 'a model that was changed',
    id: 'version.changed',
    names: 'model.bin was changed',
    inject: ({ version }) => overwrite(path.join(version, 'model.bin'), 'WEIGHTS'),
    remedy: (station) => station.reinstall(),
  },
  {
    title: 'a model that was removed',
    id: 'version.changed',
    names: 'model.bin was removed',
    inject: ({ version }) => fs.rmSync(path.join(version, 'model.bin')),
    remedy: (station) => station.reinstall(),
  },
  {
    title: 'a source that was added',
    id: 'version.changed',
    names: 'extra.py was added',
    inject: ({ version }) => fs.writeFileSync(path.join(version, 'extra.py'), ''),
    remedy: (station) => station.reinstall(),
  },
  {
    title: 'a list of files that was changed',
    id: 'version.changed',
    names: '.procvision-files.json was changed',
    inject: ({ version }) => fs.appendFileSync(path.join(version, '.procvision-files.json'), ' '),
    remedy: (station) => station.reinstall(),
  },
  {
    title: 'byte code that was changed',
    id: 'version.byte-code',
    names: 'tool.cpython-311.pyc was changed',
    inject: ({ site }) => overwrite(path.join(site, '__pycache__', 'tool.cpython-311.pyc'), 'forged!!'),
    remedy: (station) => station.reinstall(),
  },
  {
    title: 'byte code that was added',
    id: 'version.byte-code',
    names: 'main.pyc was added',
    inject: ({ version }) => fs.writeFileSync(path.join(version, 'main.pyc'), 'forged'),
    remedy: 'fix',
  },
  {
    title: 'a file of a version that everybody may write',
    id: 'version.writable-by-others',
    names: 'model.bin',
    skip: NO_MODES,
    inject: ({ version }) => fs.chmodSync(path.join(version, 'model.bin'), 0o666),
    remedy: 'fix',
  },
  {
    title: 'a folder in deployed/ that somebody copied there',
    id: 'version.unlisted',
    names: 'sample/9.9.9',
    inject: ({ registry: { layout } }) => fs.mkdirSync(layout.deployed('sample', '9.9.9')),
    remedy: ({ registry: { layout } }) => fs.rmSync(layout.deployed('sample', '9.9.9'), { recursive: true }),
  },
  {
    title: 'an environment without an interpreter',
    id: 'environment.no-python',
    names: PYTHON_IN,
    inject: ({ version }) => fs.rmSync(path.join(version, 'venv', PYTHON_IN)),
    remedy: (station) => station.reinstall(),
  },
  {
    title: 'a Python that was uninstalled',
    id: 'environment.python-missing',
    names: 'gone/python',
    make: {
      base: (folder) => {
        const python = path.join(folder, 'gone', IS_WINDOWS ? 'python.exe' : 'python3');
        fs.mkdirSync(path.dirname(python));
        fs.copyFileSync(PYTHON[0], python);
        return python;
      },
    },
    inject: ({ python }) => {
      fs.rmSync(python.base ?? '');
      delete python.base;
    },
    remedy: (station) => station.reinstall(),
  },
  {
    title: 'a Python that was upgraded',
    id: 'environment.python-changed',
    names: '3.7',
    inject: (station) => {
      editRegistry(station, ({ packages }) => {
        Object.assign(packages[0] ?? {}, { python_version: '3.7.9' });
      });
    },
    remedy: (station) => station.reinstall(),
  },
  {
    title: 'a wheel that needs a library of the system',
    id: 'library.missing',
    names: 'libgomp.so.99',
    skip: notLinux,
    make: withLibrary('cv2/cv2.abi3.so', buildElf({ needed: ['libgomp.so.99'] })),
    inject: () => undefined,
    remedy: provide('libgomp.so.99'),
  },
  {
    title: 'a wheel whose own library needs one of the system',
    id: 'library.missing',
    names: 'through libown.so',
    skip: notLinux,
    make: {
      wheels: {
        'm.abi3.so': buildElf({ needed: ['libown.so'] }),
        'm.libs/libown.so': buildElf({ needed: ['libSM.so.66'] }),
      },
    },
    inject: () => undefined,
    remedy: provide('libSM.so.66'),
  },
  {
    title: 'a wheel for a later system',
    id: 'library.too-old',
    names: 'GLIBC_9.99',
    skip: notLinux,
    make: withLibrary(
      'm.abi3.so',
      buildElf({ needed: ['libx.so'], versions: { 'libx.so': ['GLIBC_9.99'] } }),
    ),
    inject: provide('libx.so', buildElf({ provides: ['GLIBC_2.2'] })),
    remedy: provide('libx.so', buildElf({ provides: ['GLIBC_2.2', 'GLIBC_9.99'] })),
  },
  {
    title: 'a compiled module that is cut off',
    id: 'library.damaged',
    names: 'm.abi3.so',
    skip: notLinux,
    make: withLibrary('m.abi3.so', buildElf({ needed: ['libc.so.6'] }).subarray(0, 120)),
    inject: () => undefined,
    remedy: async ({ site, root }) => {
      overwrite(path.join(site, 'm.abi3.so'), buildElf());
      await forget(root);
    },
  },
  {
    title: 'a compiled module for another processor',
    id: 'library.foreign',
    skip: notLinux,
    make: withLibrary(
      `m.cpython-${PYTHON[1].split('.').slice(0, 2).join('')}-x.so`,
      buildElf({ machine: OTHER_MACHINE }),
    ),
    inject: () => undefined,
    remedy: async ({ site, root }) => {
      fs.rmSync(path.join(site, fs.readdirSync(site).find((name) => name.startsWith('m.')) ?? ''));
      await forget(root);
    },
  },
  {
    title: 'a plugin that needs a library that is missing',
    id: 'library.optional',
    names: 'libcublas.so.99',
    skip: notLinux,
    make: withLibrary('ort/libproviders.so', buildElf({ needed: ['libcublas.so.99'] })),
    inject: () => undefined,
    remedy: provide('libcublas.so.99'),
  },
  {
    title: 'a package, not deployed, that needs a library of the system',
    id: 'library.missing',
    names: 'libGL.so.99',
    skip: notLinux,
    inject: async (station) => {
      const wheel = {
        name: 'cv',
        version: '1.0',
        files: { 'cv2/cv2.abi3.so': buildElf({ needed: ['libGL.so.99'] }) },
      };
      const file = path.join(station.folder, 'cv.zip');
      const wheels = [{ file: wheelFileName(wheel), bytes: await buildWheel(wheel) }];
      fs.writeFileSync(file, await buildPackage({ wheels, requirements: 'procvision_algorithm_sdk\ncv\n' }));
      station.options = { package: file };
    },
    remedy: provide('libGL.so.99'),
  },
  {
    title: 'a key that is none',
    id: 'keys.invalid',
    inject: options({ integrity: { mode: 'lenient', publicKeys: ['-----BEGIN'] } }),
    remedy: options({
      integrity: { mode: 'lenient', publicKeys: [generateSigningKeys().publicKey] },
    }),
  },
  {
    title: 'a private key in the place of a public one',
    id: 'keys.invalid',
    inject: options({
      integrity: { mode: 'lenient', publicKeys: [Buffer.alloc(32).toString('base64')] },
    }),
    remedy: options({}),
  },
  {
    title: 'signatures demanded and no key',
    id: 'keys.none',
    inject: options({ integrity: { mode: 'strict', publicKeys: [] } }),
    remedy: options({
      integrity: { mode: 'strict', publicKeys: [generateSigningKeys().publicKey] },
    }),
  },
  {
    title: 'a key set that has expired',
    id: 'keys.unusable',
    names: 'expired',
    inject: (station) => keySet(station, inDays(-1)),
    remedy: (station) => keySet(station, inDays(90)),
  },
  {
    title: 'a key set that expires in a week',
    id: 'keys.expiring',
    names: /in [67] days/,
    inject: (station) => keySet(station, inDays(7)),
    remedy: (station) => keySet(station, inDays(90)),
  },
  {
    title: 'a key set that is cut off',
    id: 'keys.unusable',
    inject: async (station) => fs.writeFileSync((await keySet(station, inDays(90))).file, '{'),
    remedy: (station) => keySet(station, inDays(90)),
  },
  {
    title: 'a root of keys that everybody may write',
    id: 'keys.writable-by-others',
    names: 'root.json',
    skip: NO_MODES,
    inject: async (station) => fs.chmodSync((await keySet(station, inDays(90))).root, 0o666),
    remedy: 'fix',
  },
  {
    title: 'a private key in the store',
    id: 'keys.private',
    inject: ({ root }) => fs.writeFileSync(path.join(root, 'sign.pem'), generateSigningKeys().privateKey),
    remedy: ({ root }) => fs.rmSync(path.join(root, 'sign.pem')),
  },
];

/** Of deployed versions, of libraries that wheels need, and of keys. */
export const VERSION_FAULTS: readonly Fault[] = FAULTS.map((fault) => ({
  ...fault,
  make: { ...fault.make, isVerified: /^(?:version|environment)/.test(String(fault.id)) },
}));
