import { forgeZip, unicodePathField, zip64Field } from '../forge-zip.js';
import { bent, GOOD, good, named, type BadArchive } from './base.js';

/** An entry is something a package must not have. */
export const KINDS: BadArchive[] = [
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
    title: 'a file that MS-DOS takes for a folder',
    bytes: bent({ mode: 0, central: { madeBy: 20, external: 0x10 } }),
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

/** Local header, data and descriptor disagree with the directory. */
export const LOCAL: BadArchive[] = [
  {
    title: 'another name in the local header',
    bytes: bent({ local: { name: 'project/evil.py' } }),
    fault: /another name in its local header: "project\/evil.py"/,
  },
  {
    title: 'another name in the Unicode path field of the local header',
    bytes: bent({ local: { extra: unicodePathField('project/evil.py', 'project/main.py') } }),
    fault: /Unicode path field of its local header: "project\/evil.py"/,
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
    title: 'a local extra field of the length that the directory gives, without room for it',
    bytes: () => {
      const bytes = bent({ central: { extra: Buffer.from('feca0000', 'hex') } })();
      bytes.writeUInt16LE(4, bytes.lastIndexOf(Buffer.from('PK\x03\x04', 'latin1')) + 28);
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
