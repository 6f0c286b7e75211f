import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BinaryFault, type ReadPart } from '../../src/package/binaries/binary.js';
import { readElf } from '../../src/package/binaries/elf.js';
import { readPe } from '../../src/package/binaries/pe.js';
import { readBinary } from '../../src/package/binaries/read-binary.js';
import { buildElf, buildPe } from '../support/binaries.js';

const from =
  (bytes: Uint8Array): ReadPart =>
  (offset, length) =>
    Promise.resolve(Buffer.from(bytes.subarray(Math.min(offset, bytes.length), offset + length)));

const ELF = {
  needed: ['libGL.so.1', 'libc.so.6'],
  soname: 'libpart.so.2',
  runpath: '$ORIGIN/../part.libs:/opt/lib',
  versions: { 'libc.so.6': ['GLIBC_2.34', 'GLIBC_2.38'], 'libm.so.6': ['GLIBC_2.29'] },
  provides: ['PART_1.0', 'PART_1.1'],
};

describe.each([
  [64, true],
  [64, false],
  [32, true],
  [32, false],
] as const)('an ELF file of %i bits, little-endian %s', (bits, little) => {
  test('tells libraries, folders and versions, both ways', async () => {
    const found = await readElf(from(buildElf({ ...ELF, bits, little })));
    expect(found).toEqual({
      ...{ format: 'elf', bits, arch: process.arch, soname: 'libpart.so.2', delayed: [], rpath: [] },
      needed: ['libGL.so.1', 'libc.so.6'],
      runpath: ['$ORIGIN/../part.libs', '/opt/lib'],
      versions: [
        { library: 'libc.so.6', version: 'GLIBC_2.34' },
        { library: 'libc.so.6', version: 'GLIBC_2.38' },
        { library: 'libm.so.6', version: 'GLIBC_2.29' },
      ],
      provides: ['PART_1.0', 'PART_1.1'],
    });
  });
});

test('a DLL tells its imports, and apart from them those that are loaded at the first call', async () => {
  const bytes = buildPe({ imports: ['KERNEL32.dll', 'MSVCP140.dll'], delayed: ['nvcuda.dll'] });
  expect(await readPe(from(bytes))).toMatchObject({
    ...{ format: 'pe', bits: 64, arch: 'x64', delayed: ['nvcuda.dll'] },
    needed: ['KERNEL32.dll', 'MSVCP140.dll'],
  });
  expect(await readPe(from(buildPe({ bits: 32, machine: 0x14c })))).toMatchObject({ bits: 32, arch: 'ia32' });
});

test.each([
  ['an empty file', Buffer.alloc(0)],
  ['a text', Buffer.from('/* GNU ld script */ INPUT(libc.so.6)')],
  ['a program of DOS', Buffer.concat([Buffer.from('MZ'), Buffer.alloc(200)])],
])('%s is no compiled file', async (_, bytes) => {
  expect(await readElf(from(bytes))).toBeUndefined();
  expect(await readPe(from(bytes))).toBeUndefined();
});

test.each([32, 64] as const)(
  'program headers of %s bits that are longer than they can be are a fault',
  async (bits) => {
    const bytes = buildElf({ bits });
    const at = bits === 64 ? 54 : 42;
    bytes.writeUInt16LE(bytes.readUInt16LE(at) + 8, at);
    await expect(readElf(from(bytes))).rejects.toThrow(BinaryFault);
  },
);

test('a file that was cut anywhere, or has any byte changed, is read, refused or no compiled file, and never waited for', async () => {
  const files = [buildElf(ELF), buildPe({ imports: ['a.dll', 'b.dll'], delayed: ['c.dll'] })];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...files),
      fc.nat(1_000_000),
      fc.array(fc.tuple(fc.nat(1_000_000), fc.nat(255)), { maxLength: 6 }),
      async (file, cut, changes) => {
        const bytes = Buffer.from(file);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const part = cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes;
        for (const read of [readElf, readPe]) {
          await read(from(part)).catch((error: unknown) => {
            expect(error).toBeInstanceOf(BinaryFault);
          });
        }
      },
    ),
    { numRuns: 300 },
  );
});

const LIBRARIES = ['/lib/x86_64-linux-gnu', '/lib/aarch64-linux-gnu', '/usr/lib64'].find(existsSync);
const OBJDUMP = ['/usr/bin/objdump'].find(existsSync);
const noTool = LIBRARIES === undefined || OBJDUMP === undefined ? 'there is no objdump to compare with' : '';

test.skipIf(noTool !== '')(
  `libraries of the system are read as objdump reads them${noTool && `: ${noTool}`}`,
  async () => {
    const folder = LIBRARIES ?? '';
    const names = readdirSync(folder).filter((name) => /^lib[a-m].*\.so\.\d+$/.test(name));
    for (const name of names.slice(0, 12)) {
      const file = path.join(folder, name);
      const text = execFileSync(OBJDUMP ?? '', ['-p', file], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const named = (kind: string) =>
        [...text.matchAll(new RegExp(`^ +${kind} +(\\S+)$`, 'gm'))].map(([, one]) => one);
      const versions = (text.split('Version References:\n')[1] ?? '').matchAll(/ 0x\w+ 0x(\w\w) \d+ (\S+)/g);
      const found = await readBinary(file);
      expect(found?.needed, name).toEqual(named('NEEDED'));
      expect(found?.soname, name).toEqual(named('SONAME')[0]);
      const strong = [...versions].flatMap(([, flags, version]) => (flags === '02' ? [] : [version]));
      expect(
        found?.versions.map(({ version }) => version),
        name,
      ).toEqual(strong);
    }
  },
);
