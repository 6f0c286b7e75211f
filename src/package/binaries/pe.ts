import { BinaryFault, exactly, MOST_ENTRIES, textAt, type Binary, type ReadPart } from './binary.js';

/** Machine of the COFF header (PE format, "Machine types") and `process.arch`. */
const ARCHITECTURES: Readonly<Record<number, string>> = {
  0x14c: 'ia32',
  0x1c4: 'arm',
  0x8664: 'x64',
  0xaa64: 'arm64',
};
const IMPORTS = 1;
const DELAY_IMPORTS = 13;

/** A section of the file, and where it is in memory. */
interface Section {
  address: number;
  length: number;
  offset: number;
}

/**
 * Reads what a DLL (`.pyd`, `.dll`) imports: the tables of imports and of delay imports (PE format, ".idata").
 *
 * @returns undefined for a file that is no PE
 * @throws BinaryFault
 */
export async function readPe(read: ReadPart): Promise<Binary | undefined> {
  const begin = await read(0, 64);
  if (begin.length < 2 || begin.toString('latin1', 0, 2) !== 'MZ') return undefined;
  if (begin.length < 64) throw new BinaryFault('it ends within its header');
  const at = begin.readUInt32LE(0x3c);
  const head = await exactly(read, at, 24);
  if (head.toString('latin1', 0, 4) !== 'PE\0\0') return undefined; // a program of DOS
  const machine = head.readUInt16LE(4);
  const sectionCount = head.readUInt16LE(6);
  const optionalBytes = head.readUInt16LE(20);
  const optional = await exactly(read, at + 24, optionalBytes);
  if (optionalBytes < 96) throw new BinaryFault('its header is too short');
  const magic = optional.readUInt16LE(0);
  if (magic !== 0x10b && magic !== 0x20b) throw new BinaryFault(`it has no known header (${magic})`);
  const is64 = magic === 0x20b;
  const sections = await readSections(read, at + 24 + optionalBytes, sectionCount);
  const binary: Binary = {
    ...{ format: 'pe', bits: is64 ? 64 : 32, arch: ARCHITECTURES[machine] ?? `machine ${machine}` },
    ...{ needed: [], delayed: [], rpath: [], runpath: [], versions: [], provides: [] },
  };
  const directories = is64 ? 112 : 96;
  const tableAt = (index: number) => {
    const entry = directories + index * 8;
    return entry + 8 <= optionalBytes ? optional.readUInt32LE(entry) : 0;
  };
  binary.needed = await namesOf(read, sections, tableAt(IMPORTS), { step: 20, name: 12 });
  binary.delayed = await namesOf(read, sections, tableAt(DELAY_IMPORTS), { step: 32, name: 4 });
  return binary;
}

async function readSections(read: ReadPart, at: number, count: number): Promise<Section[]> {
  const table = await exactly(read, at, count * 40);
  return Array.from({ length: count }, (_, index) => {
    const start = index * 40;
    return {
      address: table.readUInt32LE(start + 12),
      length: Math.max(table.readUInt32LE(start + 8), table.readUInt32LE(start + 16)),
      offset: table.readUInt32LE(start + 20),
    };
  });
}

/** Names in a table of descriptors, which ends with an empty one. */
async function namesOf(
  read: ReadPart,
  sections: readonly Section[],
  address: number,
  { step, name }: { step: number; name: number },
): Promise<string[]> {
  if (address === 0) return [];
  const placeOf = (wanted: number) => {
    const section = sections.find((one) => wanted >= one.address && wanted < one.address + one.length);
    if (!section) throw new BinaryFault('its table of imports leads out of it');
    return section.offset + wanted - section.address;
  };
  const names: string[] = [];
  for (let at = placeOf(address); ; at += step) {
    const nameAt = (await exactly(read, at, step)).readUInt32LE(name);
    if (nameAt === 0) return names;
    names.push(await textAt(read, placeOf(nameAt)));
    if (names.length > MOST_ENTRIES) throw new BinaryFault('it imports too many libraries');
  }
}
