import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFrame, FrameDecoder, type DecodedItem } from '../../src/worker/frame-codec.js';

const CEILING = 1000;
const frame = (message: object) => encodeFrame(message, CEILING);

/** Items in words, stray bytes that touch joined. */
function told(items: DecodedItem[]): string[] {
  const words: string[] = [];
  for (const item of items) {
    const last = words.at(-1);
    if (item.kind === 'frame') words.push(`frame ${item.body.toString()}`);
    else if (item.kind === 'fault') words.push(`fault ${item.message}`);
    else if (last?.startsWith('stray ')) words[words.length - 1] = last + item.bytes.toString('latin1');
    else words.push(`stray ${item.bytes.toString('latin1')}`);
  }
  return words;
}

function decode(...chunks: Uint8Array[]): string[] {
  const decoder = new FrameDecoder(CEILING);
  return told(chunks.flatMap((chunk) => decoder.push(Buffer.from(chunk))));
}

test('a frame is a big-endian length of four bytes and UTF-8 JSON', () => {
  expect([...frame({ a: 'é' })]).toEqual([0, 0, 0, 10, ...Buffer.from('{"a":"é"}')]);
});

test('decodes frames split at every byte boundary', () => {
  const bytes = Buffer.concat([frame({ n: 1 }), Buffer.from('stray\n'), frame({ n: 2 })]);
  for (let cut = 0; cut <= bytes.length; cut++) {
    expect(decode(bytes.subarray(0, cut), bytes.subarray(cut))).toEqual([
      'frame {"n":1}',
      'stray stray\n',
      'frame {"n":2}',
    ]);
  }
});

test('decodes frames that arrive byte by byte, and frames that arrive together', () => {
  const bytes = Buffer.concat([frame({ n: 1 }), frame({ n: 2 }), frame({ n: 3 })]);
  const expected = ['frame {"n":1}', 'frame {"n":2}', 'frame {"n":3}'];
  expect(decode(bytes)).toEqual(expected);
  expect(decode(...[...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
});

describe('stray text', () => {
  test.each([
    ['before the first frame', ['import warning\n', { n: 1 }], ['stray import warning\n', 'frame {"n":1}']],
    [
      'between frames, without a newline',
      [{ n: 1 }, 'done', { n: 2 }],
      ['frame {"n":1}', 'stray done', 'frame {"n":2}'],
    ],
    ['after the last frame', [{ n: 1 }, 'bye\n'], ['frame {"n":1}', 'stray bye\n']],
    [
      'that looks like JSON',
      ['{"type":"result"}\n', { n: 1 }],
      ['stray {"type":"result"}\n', 'frame {"n":1}'],
    ],
    ['that holds a zero byte', ['a\u0000b\n', { n: 1 }], ['stray a\u0000b\n', 'frame {"n":1}']],
  ])('%s is stepped over and handed out', (_title, parts, expected) => {
    expect(
      decode(...parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : frame(part)))),
    ).toEqual(expected);
  });
});

describe('a frame that cannot be', () => {
  test('of length 0 is a fault, and the frame after it is decoded', () => {
    expect(decode(Buffer.from([0, 0, 0, 0]), frame({ n: 1 }))).toEqual([
      'fault a frame of length 0',
      'frame {"n":1}',
    ]);
  });

  test('over the ceiling is a fault, is stepped over without being kept, and the next is decoded', () => {
    const long = encodeFrame({ text: 'x'.repeat(2000) }, 10_000);
    const [fault, next] = decode(frame({ n: 1 }), long, frame({ n: 2 })).slice(1);
    expect(fault).toBe('fault a frame of 2011 bytes, over the ceiling of 1000');
    expect(next).toBe('frame {"n":2}');
  });

  test('is told after the frames before it', () => {
    expect(decode(Buffer.concat([frame({ n: 1 }), Buffer.from([0, 0, 0, 0])]))).toEqual([
      'frame {"n":1}',
      'fault a frame of length 0',
    ]);
  });

  test('is not sent either: a message over the ceiling is refused with invalid_params', () => {
    expect(() => encodeFrame({ text: 'x'.repeat(2000) }, CEILING)).toThrow(
      expect.objectContaining({ code: 'invalid_params' }),
    );
  });
});

test('whatever is printed between frames, and however the bytes are cut, every frame comes out in order', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((s) => !s.includes('\0'));
  fc.assert(
    fc.property(
      fc.array(fc.record({ before: text, message: fc.dictionary(fc.string(), fc.string()) })),
      fc.array(fc.nat(200)),
      (parts, cuts) => {
        const bytes = Buffer.concat(
          parts.flatMap(({ before, message }) => [Buffer.from(before), encodeFrame(message, 1 << 20)]),
        );
        const edges = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const decoder = new FrameDecoder(1 << 20);
        const items = edges
          .slice(1)
          .flatMap((edge, index) => decoder.push(bytes.subarray(edges[index], edge)));
        const frames = items
          .filter((item) => item.kind === 'frame')
          .map(({ body }) => JSON.parse(body.toString()) as unknown);
        expect(frames).toEqual(parts.map(({ message }) => ({ ...message })));
        const stray = Buffer.concat(
          items.filter((item) => item.kind === 'stray').map(({ bytes: printed }) => printed),
        );
        expect(stray.toString()).toBe(parts.map(({ before }) => before).join(''));
        expect(decoder.end()).toEqual([]);
      },
    ),
  );
});
