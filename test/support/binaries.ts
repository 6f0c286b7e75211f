/** What a compiled file is to ask for. */
export interface BinarySource {
  needed?: readonly string[];
  soname?: string;
  rpath?: string;
  runpath?: string;
  /** Versions by library, as `{ 'libc.so.6': ['GLIBC_2.38'] }`. */
  versions?: Readonly<Record<string, readonly string[]>>;
  /** Versions that it has. */
  provides?: readonly string[];
  /** e_machine. @defaultValue that of this process */
  machine?: number;
  /** @defaultValue 64 */
  bits?: 32 | 64;
  /** @defaultValue true */
  little?: boolean;
}

/** e_machine of this process, and of a processor that it is not. */
export const OWN_MACHINE =
  { x64: 62, arm64: 183, riscv64: 243, loong64: 258, ppc64: 21, s390x: 22 }[process.arch as string] ?? 62;
export const OTHER_MACHINE = OWN_MACHINE === 62 ? 183 : 62;

/**
 * A shared library of ELF with a dynamic section and nothing else: enough for a linker to tell what it needs, without a
 * compiler. One segment maps the whole file; its addresses are not its offsets.
 */
export function buildElf(source: BinarySource = {}): Buffer {
  const { needed = [], soname, rpath, runpath, versions = {}, provides = [] } = source;
  const { machine = OWN_MACHINE, bits = 64, little = true } = source;
  const is64 = bits === 64;
  const address = 0x1000;
  const headBytes = is64 ? 64 : 52;
  const segmentBytes = is64 ? 56 : 32;
  const write = (parts: readonly [size: 1 | 2 | 4 | 8, value: number][]) => {
    const buffer = Buffer.alloc(parts.reduce((sum, [size]) => sum + size, 0));
    let at = 0;
    for (const [size, value] of parts) {
      if (size === 8 && little) buffer.writeBigUInt64LE(BigInt(value), at);
      else if (size === 8) buffer.writeBigUInt64BE(BigInt(value), at);
      else if (little) buffer.writeUIntLE(value, at, size);
      else buffer.writeUIntBE(value, at, size);
      at += size;
    }
    return buffer;
  };
  const word = (value: number): [4 | 8, number] => [is64 ? 8 : 4, value];
  let text = '\0';
  const named = (name: string) => {
    const at = text.length;
    text += `${name}\0`;
    return at;
  };
  const entries: [number, number][] = needed.map((name) => [1, named(name)]);
  if (soname !== undefined) entries.push([14, named(soname)]);
  if (rpath !== undefined) entries.push([15, named(rpath)]);
  if (runpath !== undefined) entries.push([29, named(runpath)]);
  const libraries = Object.entries(versions);
  const need = Buffer.concat(
    libraries.flatMap(([library, wanted], index) => [
      write([
        [2, 1],
        [2, wanted.length],
        [4, named(library)],
        [4, 16],
        [4, index === libraries.length - 1 ? 0 : 16 + 16 * wanted.length],
      ]),
      ...wanted.map((version, inner) =>
        write([
          [4, 0],
          [2, 0],
          [2, inner + 2],
          [4, named(version)],
          [4, inner === wanted.length - 1 ? 0 : 16],
        ]),
      ),
    ]),
  );
  const defined = Buffer.concat(
    provides.map((version, index) =>
      write([
        [2, 1],
        [2, 0],
        [2, index + 1],
        [2, 1],
        [4, 0],
        [4, 20],
        [4, index === provides.length - 1 ? 0 : 28],
        [4, named(version)],
        [4, 0],
      ]),
    ),
  );
  const strings = Buffer.from(text, 'latin1');
  const dynamicAt = headBytes + 2 * segmentBytes;
  const count = entries.length + 2 + (need.length > 0 ? 2 : 0) + (defined.length > 0 ? 2 : 0);
  const stringsAt = dynamicAt + count * (is64 ? 16 : 8);
  const needAt = Math.ceil((stringsAt + strings.length) / 8) * 8;
  const definedAt = Math.ceil((needAt + need.length) / 8) * 8;
  const total = definedAt + defined.length;
  entries.push([5, address + stringsAt]);
  if (need.length > 0) entries.push([0x6ffffffe, address + needAt], [0x6fffffff, libraries.length]);
  if (defined.length > 0) entries.push([0x6ffffffc, address + definedAt], [0x6ffffffd, provides.length]);
  entries.push([0, 0]);
  const dynamic = Buffer.concat(entries.map(([tag, value]) => write([word(tag), word(value)])));
  const segment = (kind: number, offset: number, length: number) =>
    is64
      ? write([
          [4, kind],
          [4, 5],
          [8, offset],
          [8, address + offset],
          [8, address + offset],
          [8, length],
          [8, length],
          [8, 8],
        ])
      : write([
          [4, kind],
          [4, offset],
          [4, address + offset],
          [4, address + offset],
          [4, length],
          [4, length],
          [4, 5],
          [4, 4],
        ]);
  const head = Buffer.concat([
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, little ? 1 : 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    write([[2, 3], [2, machine], [4, 1], word(0), word(headBytes), word(0), [4, 0]]),
    write([
      [2, headBytes],
      [2, segmentBytes],
      [2, 2],
      [2, 0],
      [2, 0],
      [2, 0],
    ]),
  ]);
  const file = Buffer.alloc(total);
  const parts: [Buffer, number][] = [
    [head, 0],
    [segment(1, 0, total), headBytes],
    [segment(2, dynamicAt, dynamic.length), headBytes + segmentBytes],
    [dynamic, dynamicAt],
    [strings, stringsAt],
    [need, needAt],
    [defined, definedAt],
  ];
  for (const [part, at] of parts) part.copy(file, at);
  return file;
}

/** A DLL of PE with tables of imports and of delay imports. */
export function buildPe(o: {
  imports?: readonly string[];
  delayed?: readonly string[];
  machine?: number;
  bits?: 32 | 64;
}): Buffer {
  const { imports = [], delayed = [], machine = 0x8664, bits = 64 } = o;
  const address = 0x2000;
  const offset = 0x400;
  const importBytes = (imports.length + 1) * 20;
  const delayBytes = (delayed.length + 1) * 32;
  let text = '';
  const namesAt = address + importBytes + delayBytes;
  const named = (name: string) => {
    const at = namesAt + text.length;
    text += `${name}\0`;
    return at;
  };
  const tables = Buffer.alloc(importBytes + delayBytes);
  for (const [index, name] of imports.entries()) tables.writeUInt32LE(named(name), index * 20 + 12);
  for (const [index, name] of delayed.entries())
    tables.writeUInt32LE(named(name), importBytes + index * 32 + 4);
  const section = Buffer.concat([tables, Buffer.from(text, 'latin1')]);
  const optional = Buffer.alloc(bits === 64 ? 240 : 224);
  optional.writeUInt16LE(bits === 64 ? 0x20b : 0x10b, 0);
  const directories = bits === 64 ? 112 : 96;
  optional.writeUInt32LE(address, directories + 8);
  optional.writeUInt32LE(delayed.length > 0 ? address + importBytes : 0, directories + 13 * 8);
  const coff = Buffer.alloc(24);
  coff.write('PE\0\0', 'latin1');
  coff.writeUInt16LE(machine, 4);
  coff.writeUInt16LE(1, 6);
  coff.writeUInt16LE(optional.length, 20);
  const header = Buffer.alloc(40);
  header.write('.idata', 'latin1');
  header.writeUInt32LE(section.length, 8);
  header.writeUInt32LE(address, 12);
  header.writeUInt32LE(section.length, 16);
  header.writeUInt32LE(offset, 20);
  const begin = Buffer.alloc(64);
  begin.write('MZ', 'latin1');
  begin.writeUInt32LE(64, 0x3c);
  const head = Buffer.concat([begin, coff, optional, header]);
  return Buffer.concat([head, Buffer.alloc(offset - head.length), section]);
}
