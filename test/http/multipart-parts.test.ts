import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { multipartParts } from '../../src/http/multipart-parts.js';

const TYPE = 'multipart/form-data; boundary=b';
const FORM =
  'before\r\n--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nfirst\r\n' +
  '--b\r\ncontent-disposition: form-data; name="file"; filename="x \\" y"\r\nContent-Type: image/PNG; q=1\r\n\r\n' +
  'line\r\n--c \r\n-- b\r\r\n--b\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n--b--\r\nbehind\r\n--b\r\n';
const PARTS = [
  { name: 'note', fileName: undefined, type: 'text/plain', text: 'first' },
  { name: 'file', fileName: 'x " y', type: 'image/png', text: 'line\r\n--c \r\n-- b\r' },
  { name: 'empty', fileName: undefined, type: 'text/plain', text: '' },
];

function* cut(text: string, places: readonly number[] = []): Generator<Uint8Array> {
  const bytes = Buffer.from(text, 'latin1');
  const cuts = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (const [n, from] of cuts.entries()) yield bytes.subarray(from, cuts[n + 1] ?? bytes.length);
}

async function read(chunks: Iterable<Uint8Array>, type = TYPE): Promise<object[]> {
  const parts: { text: string }[] = [];
  for await (const piece of multipartParts(type, chunks)) {
    const last = parts.at(-1);
    if (!(piece instanceof Uint8Array)) parts.push({ ...piece, text: '' });
    else if (last) last.text += Buffer.from(piece).toString('latin1');
  }
  return parts;
}

describe('the parts of a form', () => {
  test('are the same wherever the body is cut, also byte by byte', async () => {
    expect(await read(cut(FORM))).toEqual(PARTS);
    expect(
      await read(
        cut(
          FORM,
          Array.from({ length: FORM.length }, (_, n) => n),
        ),
      ),
    ).toEqual(PARTS);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(1000), { maxLength: 6 }), async (places) => {
        expect(await read(cut(FORM, places))).toEqual(PARTS);
      }),
    );
  });

  test('are the same with blanks behind the boundaries', async () => {
    for (const blanks of [' ', '\t', ' \t '.repeat(20)]) {
      const padded = FORM.replaceAll('--b\r\n', `--b${blanks}\r\n`).replace(
        '--b--\r\n',
        `--b--${blanks}\r\n`,
      );
      expect(await read(cut(padded, [...Array(padded.length).keys()]))).toEqual(PARTS);
    }
  });

  test('of any bytes come whole', async () => {
    const piece = fc.constantFrom('\r\n', '--b', '--', '\r', '\n', 'b', ' ', 'x');
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 30 }),
        fc.array(fc.nat(200), { maxLength: 4 }),
        async (pieces, places) => {
          const text = pieces.join('');
          fc.pre(!`\r\n${text}\r\n`.includes('\r\n--b'));
          const form = `--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n${text}\r\n--b--`;
          expect(await read(cut(form, places))).toEqual([
            { name: 'a', fileName: undefined, type: 'text/plain', text },
          ]);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a form that two readers could take two ways is refused', () => {
  const head = 'Content-Disposition: form-data; name="a"';
  test.each([
    ['cut off in the head', `--b\r\n${head}\r\n`, /ends before its last boundary/],
    ['cut off in a part', `--b\r\n${head}\r\n\r\nx`, /ends before its last boundary/],
    ['nothing at all', '', /ends before its last boundary/],
    ['a boundary with more behind it', `--bc\r\n${head}\r\n\r\nx\r\n--b--`, /more than the boundary/],
    ['blanks without end', `--b${' '.repeat(300)}\r\n${head}\r\n\r\nx\r\n--b--`, /more than 256 blanks/],
    ['a head without end', `--b\r\n${'x'.repeat(20_000)}`, /more than 16384 bytes/],
    ['a line that is no header', `--b\r\n${head}\r\nno header\r\n\r\nx\r\n--b--`, /is no header: no header/],
    ['a header twice', `--b\r\n${head}\r\n${head}\r\n\r\nx\r\n--b--`, /Content-Disposition twice/],
    ['a name twice', `--b\r\n${head}; name=b\r\n\r\nx\r\n--b--`, /parameter name twice/],
    ['no name', '--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--', /no name/],
    ['a part of no form', '--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b--', /form-data/],
    ['a head that is empty', '--b\r\n\r\nx\r\n--b--', /Content-Disposition/],
    [
      'an encoding',
      `--b\r\n${head}\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--b--`,
      /a: is encoded as base64/,
    ],
  ])('%s', async (_title, text, fault) => {
    const refused: unknown = await read(cut(text)).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'bad_request', message: expect.stringMatching(fault) as string });
  });

  test.each([
    'multipart/form-data',
    'multipart/form-data; boundary=""',
    `multipart/form-data; boundary=${'x'.repeat(71)}`,
  ])('the type %s', async (type) => {
    await expect(read(cut(FORM), type)).rejects.toThrow(/names no boundary/);
  });
});
