import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { crc32 } from '../../package/crc32.js';
import type { Canvas } from './canvas.js';

const SIGNATURE = Buffer.from('\u0089PNG\r\n\u001a\n', 'latin1');
const TRUECOLOUR = 2;
/** The filter of each row: the difference to the pixel on the left, which suits drawings and photographs. */
const SUB = 1;

/** A picture as a PNG of 8 bits a channel without alpha. */
export async function encodePng({ width, height, data }: Canvas): Promise<Buffer> {
  const rowBytes = width * 3;
  const rows = new Uint8Array((rowBytes + 1) * height);
  for (let y = 0; y < height; y++) {
    const from = y * rowBytes;
    const to = y * (rowBytes + 1);
    rows[to] = SUB;
    for (let x = 0; x < rowBytes; x++) {
      rows[to + 1 + x] = (data[from + x] ?? 0) - (x < 3 ? 0 : (data[from + x - 3] ?? 0));
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, TRUECOLOUR, 0, 0, 0], 8);
  const scans = await promisify(deflate)(rows);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', scans),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, content: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(content.length, 0);
  ends.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([ends.subarray(0, 4), named, ends.subarray(4)]);
}
