/**
 * Inflates every wheel of a package once, one after the other, and throws the bytes away. Prints how many milliseconds
 * that took: start-up is not counted. The package has neither comments nor extra fields.
 *
 *     inflate-wheels.mjs <package>
 */
import { Buffer } from 'node:buffer';
import { createReadStream, openSync, readSync, fstatSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { createInflateRaw } from 'node:zlib';

const [file = ''] = process.argv.slice(2);
const fd = openSync(file, 'r');
const { size } = fstatSync(fd);

/** @param {number} at @param {number} length */
function read(at, length) {
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, at);
  return bytes;
}

const end = read(size - 22, 22);
const directory = read(end.readUInt32LE(16), end.readUInt32LE(12));
const startedAt = performance.now();
for (let at = 0; at < directory.length;) {
  const nameBytes = directory.readUInt16LE(at + 28);
  const name = directory.toString('utf8', at + 46, at + 46 + nameBytes);
  if (name.endsWith('.whl')) {
    const start = directory.readUInt32LE(at + 42) + 30 + nameBytes;
    const packed = createReadStream(file, {
      ...{ start, end: start + directory.readUInt32LE(at + 20) - 1, highWaterMark: 256 * 1024 },
    });
    const inflater = packed.pipe(createInflateRaw({ chunkSize: 256 * 1024 }));
    let bytes = 0;
    for await (const chunk of inflater) bytes += chunk.length;
    if (bytes !== directory.readUInt32LE(at + 24)) throw new Error(`${name} has ${bytes} bytes`);
  }
  at += 46 + nameBytes;
}
process.stdout.write(String(performance.now() - startedAt));
