import { deflateRawSync } from 'node:zlib';
import { forgeZip, zip64Field, type ForgedEntry } from '../forge-zip.js';
import { bent, GOOD, named, OTHER, type BadArchive } from './base.js';

const bombed = Buffer.alloc(8 * 1024 * 1024);

/** Says that it unpacks to this size, from a thousandth of it. */
function declaring(size: number): Partial<ForgedEntry> {
  return { packed: Buffer.alloc(size / 1_000), local: { size }, central: { size } };
}

/** Past the default limits. */
export const LIMITS: BadArchive[] = [
  {
    title: 'a file that unpacks a thousandfold to more than a gigabyte',
    bytes: named('zeros.bin', declaring(1_200_000_000)),
    fault: /200-fold that is permitted/,
  },
  {
    title: 'many files that together unpack a thousandfold to more than a gigabyte',
    bytes: () =>
      forgeZip(Array.from({ length: 20 }, (_, n) => ({ name: `zeros-${n}`, ...declaring(60_000_000) }))),
    fault: /unpacks from \d+ to 1200000000 bytes/,
  },
  {
    title: 'a declared size of a petabyte',
    bytes: bent({ central: { size: 0xffffffff, extra: zip64Field(1n << 50n) } }),
    fault: /permitted for one file/,
  },
];

/** Refused only when the content is read or unpacked: the headers are in order. */
export const BAD_CONTENTS: BadArchive[] = [
  {
    title: 'a wrong CRC in both headers',
    bytes: bent({ local: { crc: 7 }, central: { crc: 7 } }),
    fault: /is damaged: its CRC-32 is 0x[0-9a-f]{8}, not 0x00000007/,
    entry: 'project/main.py',
  },
  {
    title: 'a zero CRC in both headers',
    bytes: bent({ local: { crc: 0 }, central: { crc: 0 } }),
    fault: /is damaged/,
  },
  {
    title: 'more content than declared',
    bytes: bent({ local: { size: 10 }, central: { size: 10 } }),
    fault: /has more than the 10 bytes declared/,
  },
  {
    title: 'less content than declared',
    bytes: bent({ local: { size: 5_000 }, central: { size: 5_000 } }),
    fault: /has 300 bytes, not the 5000 declared/,
  },
  {
    title: 'a bomb that declares a small size',
    bytes: bent({ packed: deflateRawSync(bombed), local: { size: 50 }, central: { size: 50 } }),
    fault: /has more than the 50 bytes declared/,
  },
  {
    title: 'a large bomb that declares a plausible size',
    bytes: bent({ packed: deflateRawSync(bombed), local: { size: 600_000 }, central: { size: 600_000 } }),
    fault: /has more than the 600000 bytes declared/,
  },
  {
    title: 'compressed data cut short',
    bytes: bent({ packed: deflateRawSync(Buffer.from('print("hello")\n'.repeat(20))).subarray(0, -4) }),
    fault: /is damaged in its compressed data/,
  },
  {
    title: 'compressed data that are noise',
    bytes: bent({ packed: Buffer.alloc(40, 0xff) }),
    fault: /is damaged in its compressed data/,
  },
  {
    title: 'data hidden behind the end of the compressed data',
    bytes: bent({
      packed: Buffer.concat([deflateRawSync(Buffer.from(OTHER.data as string)), Buffer.from('hidden')]),
    }),
    fault: /end 6 bytes before they should/,
  },
  {
    title: 'data hidden behind the end of large compressed data',
    bytes: () => {
      const data = Buffer.alloc(2_000_000, 'some text that repeats');
      const packed = Buffer.concat([deflateRawSync(data, { level: 0 }), Buffer.alloc(1_000_000)]);
      return forgeZip([GOOD, { name: 'large.bin', data, packed }]);
    },
    fault: /end 1000000 bytes before they should/,
  },
  {
    title: 'one flipped bit in a large stored file',
    bytes: () => {
      const bytes = forgeZip([GOOD, { name: 'large.bin', data: Buffer.alloc(3_000_000, 'abc'), method: 0 }]);
      bytes.writeUInt8(bytes.readUInt8(2_000_000) ^ 1, 2_000_000);
      return bytes;
    },
    fault: /is damaged/,
    entry: 'large.bin',
  },
];
