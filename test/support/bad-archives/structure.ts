import { crc32 } from 'node:zlib';
import { forgeZip } from '../forge-zip.js';
import { bent, GOOD, good, OTHER, type BadArchive } from './base.js';

/** The archive as a whole is cut, doubled, mixed with something else or contradicts itself. */
export const WHOLE: BadArchive[] = [
  { title: 'an empty file', bytes: () => Buffer.alloc(0), fault: /is empty/ },
  {
    title: 'a text file',
    bytes: () => Buffer.from('this is no archive\n'.repeat(50)),
    fault: /no end record/,
  },
  {
    title: 'a gzip file by its signature',
    bytes: () => Buffer.from('1f8b0800', 'hex'),
    fault: /no end record/,
  },
  {
    title: 'an archive cut in the middle of its directory',
    bytes: () => good().subarray(0, -60),
    fault: /no end record/,
  },
  {
    title: 'an archive cut in the middle of its end record',
    bytes: () => good().subarray(0, -5),
    fault: /cut off/,
  },
  {
    title: 'an archive without its first half',
    bytes: () => good().subarray(60),
    fault: /should end at byte/,
  },
  {
    title: 'an archive cut in its comment',
    bytes: () => forgeZip([GOOD], { comment: Buffer.from('a comment') }).subarray(0, -3),
    fault: /cut off in its comment/,
  },
  {
    title: 'data after the end record',
    bytes: () => forgeZip([GOOD], { trailing: Buffer.from('tail') }),
    fault: /data after its end record/,
  },
  {
    title: 'one archive appended to another',
    bytes: () => Buffer.concat([good(), forgeZip([{ name: 'evil.py', data: 'x' }])]),
    fault: /should end at byte/,
  },
  {
    title: 'a second end record in the comment',
    bytes: () => forgeZip([GOOD], { comment: forgeZip([]) }),
    fault: /should end at byte/,
  },
  {
    title: 'a second end record in the comment that does not end the file',
    bytes: () => forgeZip([GOOD], { comment: Buffer.concat([forgeZip([]), Buffer.from('more')]) }),
    fault: /two end records/,
  },
  {
    title: 'a second end record in a comment of the directory',
    bytes: () => forgeZip([{ ...GOOD, central: { comment: forgeZip([]) } }]),
    fault: /two end records/,
  },
  {
    title: 'an end record inside an entry that claims to end the file',
    bytes: () => {
      const inner = Buffer.concat([forgeZip([]), Buffer.alloc(8)]);
      const bytes = forgeZip([{ name: 'inner.zip', data: inner, method: 0 }]);
      const at = bytes.indexOf(Buffer.from('PK\x05\x06', 'latin1'));
      bytes.writeUInt16LE(bytes.length - at - 22, at + 20);
      const crc = crc32(bytes.subarray(at, at + inner.length));
      bytes.writeUInt32LE(crc, 14);
      bytes.writeUInt32LE(crc, bytes.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1')) + 16);
      return bytes;
    },
    fault: /two end records/,
  },
  {
    title: 'a program before the first entry, offsets counted from the entry',
    bytes: () => Buffer.concat([Buffer.from('#!/bin/sh\n'), good()]),
    fault: /should end at byte/,
  },
  {
    title: 'a program before the first entry, offsets counted from the program',
    bytes: () => forgeZip([GOOD], { preamble: Buffer.from('#!/bin/sh\n') }),
    fault: /10 bytes before its first entry/,
  },
  {
    title: 'a whole hidden entry before the first one',
    bytes: () => forgeZip([{ name: 'hidden.py', data: 'x', omit: 'central' }, GOOD]),
    fault: /before its first entry/,
  },
  {
    title: 'a whole hidden entry between two others',
    bytes: () => forgeZip([GOOD, { name: 'hidden.py', data: 'x', omit: 'central' }, OTHER]),
    fault: /belong to no entry/,
    entry: 'project/manifest.json',
  },
  {
    title: 'data between the last entry and the directory',
    bytes: () => forgeZip([GOOD], { beforeDirectory: Buffer.alloc(100, 'x') }),
    fault: /100 bytes that belong to no entry/,
  },
  {
    title: 'a hole too large for any extra field',
    bytes: () => forgeZip([{ ...GOOD, after: Buffer.alloc(100_000) }, OTHER]),
    fault: /100000 bytes that belong to no entry/,
  },
  {
    title: 'data between the directory and the end record',
    bytes: () => forgeZip([GOOD], { afterDirectory: Buffer.from('between') }),
    fault: /should end at byte/,
  },
  {
    title: 'more entries announced than there are',
    bytes: () => forgeZip([GOOD], { end: { entries: 2 } }),
    fault: /more entries are announced/,
  },
  {
    title: 'fewer entries announced than there are',
    bytes: () => forgeZip([GOOD, OTHER], { end: { entries: 1 } }),
    fault: /after the 1 entries/,
  },
  {
    title: 'one part of a divided archive',
    bytes: () => forgeZip([GOOD], { end: { disk: 1 } }),
    fault: /several parts/,
  },
  {
    title: 'an entry on another part of a divided archive',
    bytes: bent({ central: { disk: 3 } }),
    fault: /another part/,
    entry: 'project/main.py',
  },
  {
    title: 'a directory larger than the file',
    bytes: () => forgeZip([GOOD], { end: { bytes: 1_000_000 } }),
    fault: /should end at byte/,
  },
  {
    title: 'a directory record without signature',
    bytes: bent({ central: { signature: 0x12345678 } }),
    fault: /record 2 of its directory has no signature/,
  },
  {
    title: 'a directory record whose name runs past the directory',
    bytes: () => {
      const bytes = good();
      bytes.writeUInt16LE(60_000, bytes.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1')) + 28);
      return bytes;
    },
    fault: /runs past the directory's end/,
  },
  {
    title: 'a zip64 sentinel without a zip64 end record',
    bytes: () => forgeZip([GOOD], { end: { offset: 0xffffffff } }),
    fault: /zip64 end record that is not there/,
  },
  {
    title: 'a zip64 end record that contradicts the plain one',
    bytes: () => forgeZip([GOOD], { zip64: { defer: false, entries: 7n } }),
    fault: /contradict each other/,
  },
  {
    title: 'a zip64 locator that points past the end',
    bytes: () => forgeZip([GOOD], { zip64: { locatorOffset: 1n << 40n } }),
    fault: /locator points past its end/,
  },
  {
    title: 'a zip64 locator that points at an entry',
    bytes: () => forgeZip([GOOD, OTHER], { zip64: { locatorOffset: 0n } }),
    fault: /no zip64 end record/,
  },
  {
    title: 'a zip64 end record without signature',
    bytes: () => forgeZip([GOOD], { zip64: { signature: 0x11111111 } }),
    fault: /no zip64 end record/,
  },
  {
    title: 'data between the zip64 end record and its locator',
    bytes: () => forgeZip([GOOD], { zip64: { between: Buffer.from('second record') } }),
    fault: /between its zip64 end record and its locator/,
  },
  {
    title: 'a zip64 end record with another one in its extensible part, which Python takes',
    bytes: () => {
      const inner = forgeZip([], { zip64: { entries: 0n, bytes: 0n } });
      const between = inner.subarray(0, 56);
      return forgeZip([GOOD], { zip64: { between, remaining: 100n } });
    },
    fault: /between its zip64 end record and its locator/,
  },
  {
    title: 'names that make more folders than there may be entries',
    bytes: () =>
      forgeZip(Array.from({ length: 500 }, (_, n) => ({ name: `${n}/${'a/'.repeat(500)}x`, method: 0 }))),
    fault: /more than the 200000 folders permitted/,
  },
  {
    title: 'a zip64 count of entries that no file reaches',
    bytes: () => forgeZip([GOOD], { zip64: { entries: (1n << 63n) + 1n } }),
    fault: /numbers that no file reaches/,
  },
  {
    title: 'a zip64 count of entries above the limit',
    bytes: () => forgeZip([GOOD], { zip64: { entries: 1n << 40n } }),
    fault: /more than the 200000 permitted/,
  },
  {
    title: 'a zip64 archive in several parts',
    bytes: () => forgeZip([GOOD], { zip64: { disks: 2 } }),
    fault: /several parts/,
  },
];
