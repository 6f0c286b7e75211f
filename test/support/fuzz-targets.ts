import assert from 'node:assert/strict';
import { RunnerError } from '../../src/errors.js';
import { openArchive } from '../../src/package/archive.js';
import { crc32 } from '../../src/package/crc32.js';
import { FrameDecoder, encodeFrame, type DecodedItem } from '../../src/worker/frame-codec.js';
import { packageEntries, writeZip } from '../../src/testing/index.js';
import type { Random, Target } from './coverage-guided.js';
import { descriptorOf, forgeZip, unicodePathField, zip64Field } from './forge-zip.js';

/** Small archives in which every structure occurs. */
async function archiveSeeds(): Promise<Buffer[]> {
  const inner = forgeZip([{ name: 'x-1.dist-info/METADATA', data: 'Name: x\n' }]);
  const gbk = Buffer.from('bcecb2e2', 'hex');
  return [
    forgeZip([{ name: 'a/' }, { name: 'a/b.txt', data: 'some text, some text', descriptor: true }]),
    forgeZip(
      [
        { name: 'w.whl', data: inner, method: 0 },
        { name: 'v.whl', data: inner },
      ],
      { zip64: {}, comment: gbk },
    ),
    forgeZip([{ name: gbk, data: 'x', flags: 0, extra: unicodePathField('检测', gbk) }], {
      trailing: Buffer.alloc(9),
    }),
    forgeZip([
      { name: './' },
      { name: './a', data: 'x', central: { size: 0xffffffff, extra: zip64Field(1n) } },
    ]),
    forgeZip([
      { name: 'd', data: 'x', flags: 8, descriptor: descriptorOf(1, 1, 1, { signed: false, wide: true }) },
    ]),
    writeZip((await packageEntries()).slice(0, 3)),
  ];
}

/** Whatever the bytes are: refused with `invalid_zip`, or an archive whose every entry reads as it is declared, or is refused. */
async function readArchive(input: Buffer): Promise<void> {
  await refusedOr(async () => {
    await using archive = await openArchive('fuzzed.zip', { bytes: input });
    for (const entry of archive.entries) {
      assert.match(entry.name, /^(?!\/)(?!.*(?:^|\/)\.{1,2}(?:\/|$))[^\0]+$/s);
      assert.equal(archive.get(entry.name)?.name, entry.name);
      if (entry.isDirectory) continue;
      await refusedOr(async () => {
        const content = await archive.read(entry);
        assert.equal(content.length, entry.sizeBytes);
        assert.equal(crc32(content), entry.crc32);
      });
      await refusedOr(async () => {
        const inner = await archive.openInner(entry);
        await inner?.close();
      });
    }
  });
}

async function refusedOr(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!RunnerError.is(error, 'invalid_zip')) throw error;
  }
}

const MOST_FRAME_BYTES = 4_096;

function frameSeeds(): Promise<Buffer[]> {
  const one = encodeFrame({ type: 'call', id: 1 }, MOST_FRAME_BYTES);
  const long = encodeFrame({ type: 'result', data: 'x'.repeat(5_000) }, 10_000);
  const stray = Buffer.from('printed {"type"} \0\0\0\u0007{"a":1}\n');
  return Promise.resolve([one, long, stray, Buffer.concat([one, stray, one]), Buffer.concat([long, one])]);
}

/** However the bytes are cut into chunks, the same comes out; each byte once; each frame within the ceiling. */
function decodeFrames(input: Buffer, random: Random): Promise<void> {
  const whole = decoded([input]);
  const chunks: Buffer[] = [];
  for (let at = 0; at < input.length;) {
    const end = at + 1 + random(random(2) === 0 ? 4 : 200);
    chunks.push(input.subarray(at, end));
    at = end;
  }
  assert.deepEqual(decoded(chunks), whole);
  let bytes = 0;
  for (const item of whole) {
    if (item.kind === 'frame') {
      assert.ok(item.body.length <= MOST_FRAME_BYTES);
      bytes += 4 + item.body.length;
    } else if (item.kind === 'stray') bytes += item.bytes.length;
  }
  assert.ok(bytes <= input.length);
  if (whole.every(({ kind }) => kind !== 'fault')) assert.equal(bytes, input.length);
  return Promise.resolve();
}

/** Stray bytes that follow each other are one: where they are cut depends on the chunks. */
function decoded(chunks: readonly Buffer[]): DecodedItem[] {
  const decoder = new FrameDecoder(MOST_FRAME_BYTES);
  const items = [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end()];
  const joined: DecodedItem[] = [];
  for (const item of items) {
    const last = joined.at(-1);
    if (item.kind === 'stray' && last?.kind === 'stray') {
      joined[joined.length - 1] = { kind: 'stray', bytes: Buffer.concat([last.bytes, item.bytes]) };
    } else joined.push(item.kind === 'stray' ? { ...item, bytes: Buffer.from(item.bytes) } : item);
  }
  return joined;
}

/** What is fuzzed. */
export const TARGETS: readonly Target[] = [
  { name: 'archive', scripts: '/src/package/archive/', seeds: archiveSeeds, run: readArchive },
  { name: 'frames', scripts: '/src/worker/frame-codec', seeds: frameSeeds, run: decodeFrames },
];
