import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeFrame,
  FrameDecoder,
  MAX_FRAME_CEILING,
  type DecodedItem,
} from '../../src/worker/frame-codec.js';

const CEILING = 1000;
const OPENING_BRACE = 0x7b;
const frame = (message: object) => encodeFrame(message, CEILING);

/** Items in words, stray bytes that touch joined. */
function described(items: DecodedItem[]): string[] {
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
  return described(chunks.flatMap((chunk) => decoder.push(Buffer.from(chunk))));
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

test('a message of exactly the ceiling is encoded and decoded, of a byte more is neither', () => {
  const message = (bytes: number) => ({ text: 'x'.repeat(bytes - '{"text":""}'.length) });
  expect(decode(encodeFrame(message(CEILING), CEILING))).toEqual([
    `frame ${JSON.stringify(message(CEILING))}`,
  ]);
  expect(() => encodeFrame(message(CEILING + 1), CEILING)).toThrow(/has 1001 bytes, more than the 1000/);
  expect(decode(encodeFrame(message(CEILING + 1), CEILING + 1))).toEqual([
    expect.stringContaining('fault a frame of 1001 bytes'),
  ]);
});

test('a message that JSON cannot say is refused with invalid_params', () => {
  expect(() => encodeFrame({ n: 1n }, CEILING)).toThrow(expect.objectContaining({ code: 'invalid_params' }));
});

describe('the end of the bytes', () => {
  const ended = (...bytes: Uint8Array[]) => {
    const decoder = new FrameDecoder(CEILING);
    for (const chunk of bytes) decoder.push(Buffer.from(chunk));
    return { decoder, items: decoder.end() };
  };

  test.each([
    ['after a frame', frame({ n: 1 })],
    ['after text', Buffer.from('bye\n')],
    ['before anything came', Buffer.alloc(0)],
  ])('%s leaves nothing', (_, bytes) => {
    expect(ended(bytes).items).toEqual([]);
  });

  test.each([
    ['all but the last byte of a frame is a fault that says how many came', 6],
    ['a brace alone of a frame is a fault that says how many came', 1],
  ])('after %s', (_, came) => {
    expect(ended(frame({ n: 1 }).subarray(0, 4 + came)).items).toEqual([
      { kind: 'fault', message: `a frame of which ${came} of 7 bytes came`, isLost: false },
    ]);
  });

  test('after a length alone hands the length out as stray bytes', () => {
    expect(ended(Uint8Array.of(0, 0, 0, 7)).items).toEqual([
      { kind: 'stray', bytes: Buffer.from([0, 0, 0, 7]) },
    ]);
  });

  test.each([
    ['a part of a frame', frame({ n: 1 }).subarray(0, 7)],
    ['a length', Uint8Array.of(0, 0, 0, 7)],
  ])('after %s forgets it: a second end leaves nothing, and a frame after it is decoded', (_, bytes) => {
    const { decoder } = ended(bytes);
    expect(decoder.end()).toEqual([]);
    expect(described(decoder.push(frame({ n: 2 })))).toEqual(['frame {"n":2}']);
    expect(described(decoder.push(Buffer.concat([frame({ n: 3 }), frame({ n: 4 })])))).toEqual([
      'frame {"n":3}',
      'frame {"n":4}',
    ]);
  });
});

test('of 20 zero bytes the last 11 wait: a length and all but one of the bytes that a body is known by', () => {
  const decoder = new FrameDecoder(CEILING);
  expect(decoder.push(Buffer.alloc(20))).toEqual([{ kind: 'stray', bytes: Buffer.alloc(9) }]);
  expect(decoder.end()).toEqual([{ kind: 'stray', bytes: Buffer.alloc(11) }]);
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
    [
      'that looks like a frame of 1.6 GB',
      ['note{"type": "hello"}\n', { n: 1 }],
      ['stray note{"type": "hello"}\n', 'frame {"n":1}'],
    ],
    [
      'of a bell and JSON of another kind',
      ['\u0007abc{"name": "hello"}\n', { n: 1 }],
      ['stray \u0007abc{"name": "hello"}\n', 'frame {"n":1}'],
    ],
    [
      'of a length over the ceiling and a body of another kind',
      ['\u0000\u00f0\u0000\u0000{ x is no JSON', { n: 1 }],
      ['stray \u0000ð\u0000\u0000{ x is no JSON', 'frame {"n":1}'],
    ],
    [
      'of a length of zero and JSON',
      ['\u0000\u0000\u0000\u0000{"a":1}', { n: 1 }],
      ['stray \u0000\u0000\u0000\u0000{"a":1}', 'frame {"n":1}'],
    ],
  ])('%s is stepped over and handed out', (_title, parts, expected) => {
    expect(
      decode(...parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : frame(part)))),
    ).toEqual(expected);
  });
});

describe('a frame that cannot be', () => {
  test('over the ceiling is a fault, is stepped over without being kept, and the next is decoded', () => {
    const long = encodeFrame({ text: 'x'.repeat(2000) }, 10_000);
    const [fault, next] = decode(frame({ n: 1 }), long, frame({ n: 2 })).slice(1);
    expect(fault).toContain(
      'fault a frame of 2011 bytes, over the ceiling of 1000: let the algorithm answer less',
    );
    expect(next).toBe('frame {"n":2}');
  });

  test('over the ceiling is a fault with isLost, after the text before it; the text after it is stray', () => {
    const long = encodeFrame({ text: 'x'.repeat(2000) }, 10_000);
    const decoder = new FrameDecoder(CEILING);
    const items = decoder.push(
      Buffer.concat([Buffer.from('begin\n'), long, Buffer.from('done\n'), frame({ n: 2 })]),
    );
    expect(items.filter(({ kind }) => kind === 'fault')).toMatchObject([{ isLost: true }]);
    expect(described(items)).toEqual([
      'stray begin\n',
      expect.stringContaining('fault a frame of 2011 bytes'),
      'stray done\n',
      'frame {"n":2}',
    ]);
  });

  test.each([
    ['2,011 bytes', 2_011, '{"text":"x'],
    ['the highest ceiling', MAX_FRAME_CEILING, '{"text":"x'],
    ['128 MiB less one byte', 0x07ff_ffff, '{"type": "result"'],
  ])('of %s is known however its head is cut, and ends at the next frame', (_, size, text) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(size);
    const bytes = Buffer.concat([head, Buffer.from(text.padEnd(100, 'x')), frame({ n: 2 })]);
    const expected = [expect.stringContaining(`fault a frame of ${size} bytes`) as string, 'frame {"n":2}'];
    for (let cut = 0; cut <= bytes.length; cut++)
      expect(decode(bytes.subarray(0, cut), bytes.subarray(cut))).toEqual(expected);
    expect(decode(...[...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
  });

  test('is reported after the frames before it', () => {
    expect(decode(Buffer.concat([frame({ n: 1 }), encodeFrame({ text: 'x'.repeat(2000) }, 10_000)]))).toEqual(
      ['frame {"n":1}', expect.stringContaining('fault a frame of 2011 bytes')],
    );
  });

  test('is not sent either: a message over the ceiling is refused with invalid_params', () => {
    expect(() => encodeFrame({ text: 'x'.repeat(2000) }, CEILING)).toThrow(
      expect.objectContaining({ code: 'invalid_params' }),
    );
  });
});

/** Takes the frames that come out, and the number of items besides. */
function framesOf(chunks: Iterable<Buffer>, ceiling = 1 << 20) {
  const decoder = new FrameDecoder(ceiling);
  const frames: unknown[] = [];
  let others = 0;
  for (const chunk of chunks) {
    for (const item of decoder.push(chunk)) {
      if (item.kind === 'frame') frames.push(JSON.parse(item.body.toString()));
      else others++;
    }
  }
  return { frames, others };
}

describe('bytes that are no text', () => {
  const utf16 = (text: string) => Buffer.from(text, 'utf16le');
  const length = (bytes: number) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(bytes);
    return head;
  };
  test.each([
    ...[1, 2, 3, 4, 5, 8, 4096].map((n): [string, Buffer] => [`${n} zero bytes`, Buffer.alloc(n)]),
    ...[1, 2, 3, 4, 5].map((n): [string, Buffer] => [
      `text and ${n} zero bytes`,
      Buffer.concat([Buffer.from('disk ok'), Buffer.alloc(n)]),
    ]),
    ['UTF-16', utf16('warn: {"a": 1}\n')],
    ['UTF-16, the other way round', utf16('warn: {"a": 1}\n').swap16()],
    ['UTF-16 whose characters look like a length and a brace', utf16('x中签签签 签x中签名: 签')],
    ['the head of a frame whose body never comes', Buffer.concat([length(500), Buffer.from('{')])],
    ['half a frame', Buffer.concat([length(500), Buffer.from('{"type": "result"')])],
    ['the head of a frame over the ceiling', Buffer.concat([length(0x00f0_0000), Buffer.from('{ x')])],
    ['a colour and JSON', Buffer.from('\u001b[1m{"type": "hello"}')],
    ['indented JSON', Buffer.from('[\n   {"type": "hello"}]')],
    ['a bell and JSON of another kind', Buffer.from('\u0007abc{"name": "hello"}')],
    ['random bytes', Buffer.from('8ac7000001007b9000007b220000007b', 'hex')],
  ])('%s between frames cost none of them, however they are cut', (_title, bytes) => {
    const whole = Buffer.concat([frame({ n: 1 }), bytes, frame({ n: 2 }), bytes, bytes, frame({ n: 3 })]);
    const expected = [{ n: 1 }, { n: 2 }, { n: 3 }];
    expect(framesOf([whole]).frames).toEqual(expected);
    for (let cut = 1; cut < Math.min(whole.length, 600); cut++) {
      expect(framesOf([whole.subarray(0, cut), whole.subarray(cut)]).frames).toEqual(expected);
    }
    expect(framesOf([...whole].slice(0, 600).map((byte) => Buffer.of(byte))).frames).toEqual(
      expected.slice(0, whole.length > 600 ? 1 : 3),
    );
  });

  test('a frame of 16 MiB and more is a fault at its head, and is stepped over in pieces', () => {
    const body = Buffer.from(`{"type": "result", "message": "${'x'.repeat(1 << 16)}`);
    const size = 40 << 20;
    const decoder = new FrameDecoder(CEILING);
    const head = Buffer.concat([length(size), body]);
    expect(described(decoder.push(head))).toEqual([
      expect.stringContaining(`fault a frame of ${size} bytes, over the ceiling of 1000`),
    ]);
    const filler = Buffer.alloc(1 << 20, 'x');
    let missing = size - body.length;
    for (; missing > filler.length; missing -= filler.length) expect(decoder.push(filler)).toEqual([]);
    expect(decoder.push(filler.subarray(0, missing))).toEqual([]);
    expect(described(decoder.push(frame({ n: 1 })))).toEqual(['frame {"n":1}']);
  });

  test('a frame over the ceiling of which the rest never comes ends where the next one begins', () => {
    const begun = encodeFrame({ type: 'result', text: 'x'.repeat(2000) }, 10_000).subarray(0, 700);
    expect(decode(begun, frame({ n: 2 })).slice(1)).toEqual(['frame {"n":2}']);
  });

  test.each([
    ['zero bytes', Buffer.alloc(1 << 16)],
    ['UTF-16', Buffer.alloc(1 << 16, 'a\0')],
    ['heads of frames', Buffer.alloc(1 << 16, Buffer.from([0, 0, 0, 9, OPENING_BRACE]))],
    ['long heads', Buffer.alloc(1 << 16, Buffer.from([0, 15, 255, 255, OPENING_BRACE]))],
    ['braces', Buffer.alloc(1 << 16, '{')],
  ])('8 MiB of %s are a bounded number of items, and the frame after them is decoded', (_title, bytes) => {
    const chunks = [...Array<Buffer>(128).fill(bytes), Buffer.from('\n'), frame({ n: 1 })];
    const { frames, others } = framesOf(chunks);
    expect(frames).toEqual([{ n: 1 }]);
    expect(others).toBeLessThanOrEqual(3 * chunks.length);
  });

  test('whatever bytes lie between frames, every frame comes out in order', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc
        .array(fc.constantFrom(0, 1, OPENING_BRACE, 34, 65), { maxLength: 20 })
        .map((all) => Uint8Array.from(all)),
    );
    // A stray length and brace may end where its frame would: such bytes are a frame, by any reading.
    const isFrame = (stray: Uint8Array) => framesOf([Buffer.from(stray)]).frames.length > 0;
    fc.assert(
      fc.property(fc.array(bytes), fc.nat(40), (parts, size) => {
        const message = { type: 'result', n: 'x'.repeat(size) };
        const whole = Buffer.concat(parts.flatMap((stray) => [stray, frame(message)]));
        fc.pre(
          !parts.some((stray) => {
            try {
              return isFrame(stray);
            } catch {
              return true;
            }
          }),
        );
        expect(framesOf([whole]).frames).toEqual(parts.map(() => message));
      }),
      { numRuns: 500 },
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
