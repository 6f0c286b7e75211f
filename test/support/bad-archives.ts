import { crc32, deflateRawSync } from 'node:zlib';
import { forgeZip, unicodePathField, zip64Field, type ForgedEntry } from './forge-zip.js';

/** An archive that must be refused. */
export interface BadArchive {
  title: string;
  bytes: () => Buffer;
  /** What the message must say. */
  fault: RegExp;
  /** Entry the message must name, as written in it. */
  entry?: string;
}

const GOOD: ForgedEntry = { name: 'project/manifest.json', data: '{"name":"sample"}' };
const OTHER: ForgedEntry = { name: 'project/main.py', data: 'print("hello")\n'.repeat(20) };

function good(): Buffer {
  return forgeZip([GOOD, OTHER]);
}

function named(name: string | Buffer, more: Partial<ForgedEntry> = {}): () => Buffer {
  return () => forgeZip([GOOD, { name, data: 'x', ...more }]);
}

function twice(first: string, second: string): () => Buffer {
  return () => forgeZip([GOOD, { name: first, data: '1' }, { name: second, data: '2' }]);
}

function bent(more: Partial<ForgedEntry>): () => Buffer {
  return () => forgeZip([GOOD, { ...OTHER, ...more }]);
}

const bombed = Buffer.alloc(8 * 1024 * 1024);

const WHOLE: BadArchive[] = [
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

const NAMES: BadArchive[] = [
  {
    title: 'a name that climbs out',
    bytes: named('../evil.py'),
    fault: /a "\.\." segment/,
    entry: '../evil.py',
  },
  { title: 'a name that climbs out from within', bytes: named('a/../../evil.py'), fault: /a "\.\." segment/ },
  {
    title: 'a name that climbs out by backslashes',
    bytes: named('..\\..\\evil.py'),
    fault: /a "\.\." segment/,
  },
  {
    title: 'a name that climbs out by mixed separators',
    bytes: named('a/..\\../evil.py'),
    fault: /a "\.\." segment/,
  },
  { title: 'a name with a dot segment', bytes: named('a/./b.py'), fault: /a "\." segment/ },
  { title: 'a folder named dot', bytes: named('./', { data: '' }), fault: /a "\." segment/ },
  { title: 'a name with an empty segment', bytes: named('a//b.py'), fault: /empty segment/ },
  { title: 'an absolute name', bytes: named('/etc/passwd'), fault: /absolute path/, entry: '/etc/passwd' },
  { title: 'a name that is only a slash', bytes: named('/', { data: '' }), fault: /absolute path/ },
  { title: 'an absolute name by backslash', bytes: named('\\windows\\evil.dll'), fault: /absolute path/ },
  { title: 'a network name', bytes: named('\\\\server\\share\\evil.dll'), fault: /absolute path/ },
  { title: 'a name with a drive letter', bytes: named('C:\\evil.dll'), fault: /drive letter/ },
  { title: 'a name relative to a drive', bytes: named('c:evil.dll'), fault: /drive letter/ },
  { title: 'a name with an alternate stream', bytes: named('a/main.py:hidden'), fault: /":" in it/ },
  { title: 'an empty name', bytes: named(''), fault: /name is empty/ },
  {
    title: 'a name with NUL',
    bytes: named('main.py\0.txt'),
    fault: /NUL character/,
    entry: 'main.py\\u0000.txt',
  },
  { title: 'a name with a newline', bytes: named('main\n.py'), fault: /control character/ },
  { title: 'a name with a terminal escape', bytes: named('\x1b[2Jmain.py'), fault: /control character/ },
  { title: 'a name with a line separator', bytes: named('main\u2028.py'), fault: /control character/ },
  {
    title: 'a name that turns the direction of writing',
    bytes: named('main\u202eyp.exe'),
    fault: /direction/,
  },
  { title: 'a console name', bytes: named('assets/con'), fault: /gives to a device/ },
  { title: 'a printer name with an ending', bytes: named('LPT1.txt'), fault: /gives to a device/ },
  {
    title: 'a device name with a blank before the ending',
    bytes: named('nul .txt'),
    fault: /gives to a device/,
  },
  { title: 'a device name as a folder', bytes: named('aux/main.py'), fault: /gives to a device/ },
  { title: 'a segment that ends in a dot', bytes: named('assets./a.txt'), fault: /dot or space/ },
  { title: 'a segment that ends in a space', bytes: named('main.py '), fault: /dot or space/ },
  { title: 'a wildcard in a name', bytes: named('what?.txt'), fault: /"\?" in it/ },
  { title: 'a segment of 300 bytes', bytes: named('x'.repeat(300)), fault: /longer than 255 bytes/ },
  {
    title: 'a segment of 270 bytes in 90 characters',
    bytes: named('图'.repeat(90)),
    fault: /longer than 255 bytes/,
  },
  {
    title: 'a name of 2,000 bytes',
    bytes: named('folder/'.repeat(285) + 'a.py'),
    fault: /longer than 1024 bytes/,
  },
  {
    title: 'bytes that are not UTF-8 under the UTF-8 flag',
    bytes: named(Buffer.from([0x61, 0xff, 0xfe])),
    fault: /flagged as UTF-8 but is not/,
  },
  {
    title: 'an overlong UTF-8 slash',
    bytes: named(Buffer.from([0x2e, 0x2e, 0xc0, 0xaf, 0x65])),
    fault: /flagged as UTF-8 but is not/,
  },
  {
    title: 'GBK bytes whose decoded name climbs out',
    bytes: named(Buffer.from([0x2e, 0x2e, 0x5c, 0xd6, 0xd0]), { flags: 0 }),
    fault: /a "\.\." segment/,
  },
  {
    title: 'a Unicode path field that contradicts the name',
    bytes: named('main.py', { extra: unicodePathField('../../evil.py', 'main.py') }),
    fault: /Unicode path field says/,
  },
  {
    title: 'a Unicode path field that is not UTF-8',
    bytes: named('main.py', { extra: unicodePathField(Buffer.from([0xff]), 'main.py') }),
    fault: /Unicode path field is not UTF-8/,
  },
  {
    title: 'one name twice',
    bytes: twice('a/main.py', 'a/main.py'),
    fault: /is there twice/,
    entry: 'a/main.py',
  },
  {
    title: 'one folder twice',
    bytes: () => forgeZip([{ name: 'a/' }, { name: 'a/' }]),
    fault: /is there twice/,
  },
  {
    title: 'one name in two letter cases',
    bytes: twice('Main.py', 'main.py'),
    fault: /collides with "Main.py"/,
  },
  {
    title: 'one folder in two letter cases',
    bytes: twice('Wheels/a', 'wheels/b'),
    fault: /collides with "Wheels"/,
  },
  {
    title: 'one name in two letter cases outside ASCII',
    bytes: twice('STRASSE.txt', 'straße.txt'),
    fault: /collides with "STRASSE.txt"/,
  },
  { title: 'one name in two Unicode forms', bytes: twice('caf\u00e9', 'cafe\u0301'), fault: /collides with/ },
  {
    title: 'one name with and without a mark of no width',
    bytes: twice('main.py', 'ma\u200din.py'),
    fault: /collides/,
  },
  { title: 'one name by slash and by backslash', bytes: twice('a/b.py', 'a\\b.py'), fault: /is there twice/ },
  { title: 'a file where a folder is', bytes: twice('a/b.py', 'a'), fault: /file and a folder at once/ },
  { title: 'a folder where a file is', bytes: twice('a', 'a/b.py'), fault: /file and a folder at once/ },
];

const KINDS: BadArchive[] = [
  {
    title: 'a symbolic link',
    bytes: bent({ mode: 0o120777 }),
    fault: /a symbolic link/,
    entry: 'project/main.py',
  },
  {
    title: 'a symbolic link that says it was made on DOS',
    bytes: bent({ mode: 0o120777, central: { madeBy: 20 } }),
    fault: /a symbolic link/,
  },
  { title: 'a named pipe', bytes: bent({ mode: 0o010644 }), fault: /a named pipe/ },
  { title: 'a character device', bytes: bent({ mode: 0o020644 }), fault: /a character device/ },
  { title: 'a block device', bytes: bent({ mode: 0o060644 }), fault: /a block device/ },
  { title: 'a socket', bytes: bent({ mode: 0o140644 }), fault: /a socket/ },
  { title: 'a file of unknown type', bytes: bent({ mode: 0o150644 }), fault: /unknown type/ },
  { title: 'a program that runs as its owner', bytes: bent({ mode: 0o104755 }), fault: /setuid/ },
  {
    title: 'a file that is marked as a folder',
    bytes: bent({ mode: 0o040755 }),
    fault: /marked as a folder/,
  },
  {
    title: 'a folder that is marked as a file',
    bytes: named('a/', { data: '', mode: 0o100644 }),
    fault: /marked as a file/,
  },
  {
    title: 'a folder with content',
    bytes: named('a/', { data: 'content' }),
    fault: /named as a folder, but has 7 bytes/,
  },
  {
    title: 'an encrypted entry',
    bytes: bent({ flags: 0x801 }),
    fault: /is encrypted/,
    entry: 'project/main.py',
  },
  { title: 'a strongly encrypted entry', bytes: bent({ flags: 0x841 }), fault: /is encrypted/ },
  { title: 'masked headers', bytes: bent({ flags: 0x2800 }), fault: /is encrypted/ },
  { title: 'an entry that is a patch', bytes: bent({ flags: 0x820 }), fault: /is a patch/ },
  {
    title: 'an unknown method',
    bytes: bent({ method: 99, packed: Buffer.from('data') }),
    fault: /method 99/,
  },
  { title: 'LZMA', bytes: bent({ method: 14, packed: Buffer.from('data') }), fault: /method 14/ },
  {
    title: 'a version of the format that is not there yet',
    bytes: bent({ central: { versionNeeded: 88 } }),
    fault: /needs version 8.8 of the zip format/,
  },
  {
    title: 'malformed extra fields',
    bytes: bent({ extra: Buffer.from('0100ff00', 'hex') }),
    fault: /extra fields are malformed/,
  },
  {
    title: 'a zip64 field given twice',
    bytes: bent({ extra: Buffer.concat([zip64Field(1n), zip64Field(2n)]) }),
    fault: /given twice/,
  },
  {
    title: 'a size deferred to a zip64 field that is not there',
    bytes: bent({ central: { size: 0xffffffff } }),
    fault: /zip64 field lacks/,
  },
  {
    title: 'a zip64 offset past the end',
    bytes: bent({ central: { offset: 0xffffffff, extra: zip64Field(1n << 50n) } }),
    fault: /said to start at byte 1125899906842624, behind the directory/,
  },
  {
    title: 'a stored entry that grows',
    bytes: bent({ method: 0, central: { size: 9999 } }),
    fault: /is stored, but/,
  },
  {
    title: 'a deflated entry without data',
    bytes: bent({ packed: Buffer.alloc(0) }),
    fault: /deflated, but has no data/,
  },
];

const LOCAL: BadArchive[] = [
  {
    title: 'another name in the local header',
    bytes: bent({ local: { name: 'project/evil.py' } }),
    fault: /another name in its local header: "project\/evil.py"/,
  },
  {
    title: 'another method in the local header',
    bytes: bent({ local: { method: 0 } }),
    fault: /gives its method as 0, the directory as 8/,
  },
  {
    title: 'another CRC in the local header',
    bytes: bent({ local: { crc: 1 } }),
    fault: /gives its CRC-32 as 1/,
  },
  {
    title: 'another size in the local header',
    bytes: bent({ local: { size: 3 } }),
    fault: /gives its size as 3/,
  },
  {
    title: 'another packed size in the local header',
    bytes: bent({ local: { packed: 3 } }),
    fault: /gives its compressed size as 3/,
  },
  {
    title: 'encryption in the local header alone',
    bytes: bent({ local: { flags: 0x801 } }),
    fault: /gives its flags as/,
  },
  {
    title: 'another charset of the name in the local header',
    bytes: named('中文.py', { local: { flags: 0 } }),
    fault: /gives its flags as/,
  },
  {
    title: 'no signature in the local header',
    bytes: bent({ local: { signature: 0x04034b51 } }),
    fault: /no local header where/,
  },
  {
    title: 'malformed extra fields in the local header',
    bytes: bent({ local: { extra: Buffer.from('0100ff00', 'hex') } }),
    fault: /malformed extra fields in its local header/,
  },
  {
    title: 'a zip64 size in the local header that disagrees',
    bytes: bent({ local: { size: 0xffffffff, packed: 0xffffffff, extra: zip64Field(1n, 2n) } }),
    fault: /gives its size as 1/,
  },
  {
    title: 'two directory records for one local header',
    bytes: () =>
      forgeZip([GOOD, { name: 'project/copy.json', data: GOOD.data, omit: 'local', central: { offset: 0 } }]),
    fault: /overlaps the entry/,
  },
  {
    title: 'an entry that points into another one',
    bytes: () => {
      const inner = forgeZip([{ name: 'inner.py', data: 'x', method: 0 }]).subarray(0, 39);
      return forgeZip([
        { name: 'outer.bin', data: inner, method: 0 },
        { name: 'inner.py', data: 'x', method: 0, omit: 'local', central: { offset: 39 } },
      ]);
    },
    fault: /overlaps the entry "inner.py"/,
    entry: 'outer.bin',
  },
  {
    title: 'an entry that runs into the directory',
    bytes: bent({ central: { packed: 5_000 }, local: { packed: 5_000 } }),
    fault: /runs into the directory/,
  },
  {
    title: 'an entry whose header points past the end',
    bytes: bent({ central: { offset: 50_000_000 } }),
    fault: /said to start at byte 50000000, behind the directory/,
  },
  {
    title: 'a local extra field that leaves no room for the data',
    bytes: () => {
      const bytes = good();
      bytes.writeUInt16LE(500, bytes.lastIndexOf(Buffer.from('PK\x03\x04', 'latin1')) + 28);
      return bytes;
    },
    fault: /leaves no room for its data/,
    entry: 'project/main.py',
  },
  {
    title: 'a descriptor that is missing',
    bytes: bent({ flags: 0x808 }),
    fault: /should be followed by a data descriptor/,
  },
  {
    title: 'a descriptor that disagrees',
    bytes: bent({
      flags: 0x808,
      descriptor: Buffer.concat([Buffer.from('504b0708', 'hex'), Buffer.alloc(12)]),
    }),
    fault: /descriptor that disagrees/,
  },
  {
    title: 'a descriptor without the signature its length calls for',
    bytes: bent({ flags: 0x808, descriptor: Buffer.alloc(16) }),
    fault: /without its signature/,
  },
  {
    title: 'a descriptor nobody announced',
    bytes: bent({ after: Buffer.alloc(16) }),
    fault: /belong to no entry/,
  },
];

const LIMITS: BadArchive[] = [
  {
    title: 'a file that unpacks a thousandfold',
    bytes: named('zeros.bin', { data: bombed }),
    fault: /200-fold that is permitted/,
    entry: 'zeros.bin',
  },
  {
    title: 'many files that together unpack a thousandfold',
    bytes: () =>
      forgeZip(
        Array.from({ length: 20 }, (_, n) => ({ name: `zeros-${n}`, data: bombed.subarray(0, 1_000_000) })),
      ),
    fault: /unpacks from \d+ to 20000000 bytes/,
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
    fault: /compressed data are damaged/,
  },
  {
    title: 'compressed data that are noise',
    bytes: bent({ packed: Buffer.alloc(40, 0xff) }),
    fault: /compressed data are damaged/,
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

/** Refused at opening. */
export const BAD_ARCHIVES: BadArchive[] = [...WHOLE, ...NAMES, ...KINDS, ...LOCAL, ...LIMITS];
