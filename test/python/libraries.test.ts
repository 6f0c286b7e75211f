import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { packagesOf, remedyForDll, remedyForLibrary } from '../../src/python/libraries/library-packages.js';
import { readCache } from '../../src/python/libraries/machine-libraries.js';
import { findMissingLibraries, type LibraryOptions } from '../../src/python/libraries/missing-libraries.js';
import { buildElf, buildPe, OTHER_MACHINE } from '../support/binaries.js';
import { IS_WINDOWS } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

const onLinux = test.skipIf(process.platform !== 'linux');

/** Files of wheels beside files of a system that has nothing else. */
async function station(
  wheels: Record<string, Buffer | string>,
  system: Record<string, Buffer> = {},
): Promise<{ folder: string; look: (o?: LibraryOptions) => ReturnType<typeof findMissingLibraries> }> {
  const folder = await temporaryFolder();
  for (const [root, files] of Object.entries({ site: wheels, system })) {
    for (const [name, content] of Object.entries(files)) {
      const file = path.join(folder, root, name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, content);
    }
  }
  const places = {
    cache: path.join(folder, 'cache'),
    folders: [path.join(folder, 'system')],
    libraryPath: '',
  };
  return {
    folder,
    look: (o) => findMissingLibraries([path.join(folder, 'site')], { platform: 'linux', places, ...o }),
  };
}

onLinux('a library that a module needs through another one is named with the way to it', async () => {
  const { look } = await station(
    {
      'cv2/cv2.abi3.so': buildElf({ needed: ['libQt5Gui.so.5'], rpath: '$ORIGIN/../cv.libs' }),
      'cv.libs/libQt5Gui.so.5': buildElf({ soname: 'libQt5Gui.so.5', needed: ['libGL.so.1', 'libc.so.6'] }),
    },
    { 'libc.so.6': buildElf({ soname: 'libc.so.6' }) },
  );
  const { missing, files } = await look();
  expect(files).toBe(2);
  expect(missing).toEqual([
    { library: 'libGL.so.1', neededBy: 'cv2/cv2.abi3.so', through: ['libQt5Gui.so.5'], byModule: true },
  ]);
});

onLinux('a library of the system that lacks one itself is named as the way', async () => {
  const { look } = await station(
    { 'm.so': buildElf({ needed: ['libGL.so.1'] }) },
    { 'libGL.so.1': buildElf({ needed: ['libX11.so.6'] }) },
  );
  expect((await look()).missing).toMatchObject([{ library: 'libX11.so.6', through: ['libGL.so.1'] }]);
});

onLinux('folders of RPATH, RUNPATH and LD_LIBRARY_PATH are looked in, and links followed', async () => {
  const { folder, look } = await station({
    'a/a.so': buildElf({ needed: ['libone.so'], rpath: '$ORIGIN/../../one' }),
    'a/b.so': buildElf({ needed: ['libtwo.so'], runpath: '${ORIGIN}/../../two' }),
    'a/c.so': buildElf({ needed: ['libthree.so'] }),
  });
  for (const name of ['one', 'two', 'three']) {
    await mkdir(path.join(folder, name));
    await writeFile(path.join(folder, name, 'real.so'), buildElf());
    await symlink('real.so', path.join(folder, name, `lib${name}.so`));
  }
  const places = { cache: '', folders: [], libraryPath: path.join(folder, 'three') };
  expect((await look({ places })).missing).toEqual([]);
  expect((await look()).missing).toMatchObject([{ library: 'libthree.so' }]);
});

onLinux('an RPATH does not count where there is a RUNPATH (ld.so(8))', async () => {
  const { look, folder } = await station({
    'a.so': buildElf({ needed: ['libx.so'], rpath: '$ORIGIN/../one', runpath: '$ORIGIN/../two' }),
  });
  await mkdir(path.join(folder, 'one'));
  await writeFile(path.join(folder, 'one', 'libx.so'), buildElf());
  expect((await look()).missing).toMatchObject([{ library: 'libx.so' }]);
});

onLinux('a library for another processor does not count', async () => {
  const { look } = await station(
    { 'm.so': buildElf({ needed: ['libz.so.1'] }) },
    { 'libz.so.1': buildElf({ machine: OTHER_MACHINE }) },
  );
  expect((await look()).missing).toMatchObject([{ library: 'libz.so.1' }]);
});

onLinux(
  'a version that the library of the system does not have is named with the newest that it has',
  async () => {
    const { look } = await station(
      { 'm.so': buildElf({ needed: ['libc.so.6'], versions: { 'libc.so.6': ['GLIBC_2.9', 'GLIBC_2.38'] } }) },
      { 'libc.so.6': buildElf({ provides: ['GLIBC_2.9', 'GLIBC_2.36', 'GLIBC_PRIVATE'] }) },
    );
    expect((await look()).missing).toMatchObject([
      { library: 'libc.so.6', version: 'GLIBC_2.38', has: 'GLIBC_2.36', neededBy: 'm.so' },
    ]);
  },
);

onLinux('what the interpreter has loaded, and what lies anywhere in the wheels, is not missing', async () => {
  const { folder, look } = await station(
    {
      'm.so': buildElf({ needed: ['libpython3.11.so.1.0', 'libcudart.so.12'] }),
      'nvidia/cuda/lib/libcudart.so.12': buildElf(),
    },
    { 'libpython3.11.so.1.0': buildElf() },
  );
  const python = path.join(folder, 'python3');
  await writeFile(python, buildElf({ needed: ['libpython3.11.so.1.0'] }));
  const places = { cache: '', folders: [], libraryPath: '' };
  expect((await look({ places, python })).missing).toEqual([]);
  expect((await look({ places })).missing).toMatchObject([{ library: 'libpython3.11.so.1.0' }]);
});

onLinux(
  'a plugin that no module needs is told apart, modules of other Pythons and processors too',
  async () => {
    const { look } = await station({
      'ort/libproviders_cuda.so': buildElf({ needed: ['libcublas.so.12'] }),
      'p/x.cpython-39-x86_64-linux-gnu.so': buildElf({ needed: ['libnone.so'] }),
      'p/y.cpython-311-x86_64-linux-gnu.so': buildElf({ machine: OTHER_MACHINE }),
      'p/z.abi3.so': 'cut off',
      'p/w.abi3.so': buildElf({ needed: ['libc.so.6'] }).subarray(0, 150),
    });
    const report = await look({ pythonVersion: '3.11.7' });
    expect(report.missing).toMatchObject([{ library: 'libcublas.so.12', byModule: false }]);
    expect(report.foreign).toMatchObject([{ path: 'p/y.cpython-311-x86_64-linux-gnu.so' }]);
    expect(report.damaged.map((one) => one.path).sort()).toEqual(['p/w.abi3.so', 'p/z.abi3.so']);
  },
);

/** On Windows the libraries of the machine count, and many have these. */
const [ABSENT, ABSENT_TOO] = IS_WINDOWS
  ? ['pvabsent.dll', 'PVAbsentToo.DLL']
  : ['MSVCP140.dll', 'MFPlat.DLL'];

test('DLLs of Windows, of Python and of the wheel are there; that of Visual C++ is not', async () => {
  const needed = ['KERNEL32.dll', 'api-ms-win-crt-heap-l1-1-0.dll', 'python311.dll', 'VCRUNTIME140.dll'];
  const { look } = await station({
    'cv2/cv2.pyd': buildPe({ imports: [...needed, ABSENT, 'Own.DLL'], delayed: ['nvcuda.dll'] }),
    'cv.libs/own.dll': buildPe({ imports: [ABSENT_TOO] }),
    'linux/other.so': buildElf({ needed: ['libnone.so'] }),
  });
  const { missing, files } = await look({ platform: 'win32', arch: 'x64' });
  expect(files).toBe(2);
  expect(missing.map(({ library }) => library)).toEqual([ABSENT, ABSENT_TOO]);
  expect(remedyForDll('MSVCP140.dll')).toContain('Visual C++');
  expect(remedyForDll('MFPlat.DLL')).toContain('Media Feature Pack');
});

test('macOS is not looked at', async () => {
  const { look } = await station({ 'm.so': buildElf({ needed: ['libnone.so'] }) });
  expect(await look({ platform: 'darwin' })).toMatchObject({ files: 0, missing: [] });
});

test.each([
  ['libGL.so.1', 'libgl1', 'mesa-libGL'],
  ['libgthread-2.0.so.0', 'libglib2.0-0', 'glib2'],
  ['libX11-xcb.so.1', 'libx11-xcb1', 'libX11-xcb'],
  ['libssl.so.1.1', 'libssl1.1 (Debian 11)', 'compat-openssl11'],
])('%s is in the package %s of Debian and %s of RHEL', (library, debian, rhel) => {
  expect(packagesOf(library)).toEqual({ debian, rhel });
  expect(remedyForLibrary(library)).toContain(debian);
  expect(remedyForLibrary(library)).toContain(rhel);
});

test('a library that is in no list is looked for by the tools of the system', () => {
  expect(packagesOf('libGLfoo.so.1')).toBeUndefined();
  expect(remedyForLibrary('libfoo.so.3')).toContain('apt-file search libfoo.so.3');
  expect(remedyForLibrary('libcuda.so.1')).toContain('driver');
  expect(remedyForLibrary('libcudart.so.12')).toContain('nvidia-');
});

onLinux('the cache of the linker is read; a damaged one is empty', async () => {
  const { folder } = await station({});
  const file = path.join(folder, 'damaged');
  await writeFile(file, Buffer.concat([Buffer.from('glibc-ld.so.cache1.1'), Buffer.alloc(60, 0xff)]));
  expect((await readCache(file)).size).toBe(0);
  expect((await readCache(path.join(folder, 'none'))).size).toBe(0);
});
