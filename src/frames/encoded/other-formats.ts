/** What bytes are that are no picture of ours: for messages. */

/** By what a format begins with, as Latin-1; those of two are the same format. */
const MARKS: readonly (readonly [mark: string, what: string])[] = [
  ['GIF8', 'a GIF'],
  ['P7\n', 'a PAM'],
  ['II+\0', 'a BigTIFF'],
  ['MM\0+', 'a BigTIFF'],
  ['\0\0\0\x0cjP  ', 'a JPEG 2000'],
  ['\xff\x4f\xff\x51', 'a JPEG 2000'],
  ['\0\0\0\x0cJXL ', 'a JPEG XL'],
  ['\xff\x0a', 'a JPEG XL'],
  ['v/1\x01', 'an OpenEXR'],
  ['8BPS', 'a Photoshop file'],
  ['%PDF', 'a PDF'],
  ['\x93NUMPY', 'a file of NumPy (its pixels are handed over as { data, width, height })'],
  ['<', 'a text, such as HTML or SVG'],
  ['data:', 'the text of a data URL (Buffer.from(text, "base64") makes bytes of what follows its comma)'],
  ['/9j/', 'the text of a JPEG in base64 (Buffer.from(text, "base64") makes bytes of it)'],
  ['iVBORw0KGgo', 'the text of a PNG in base64 (Buffer.from(text, "base64") makes bytes of it)'],
];

/** The name of what begins so, with its article; undefined where it is not known. */
export function otherFormat(bytes: Buffer): string | undefined {
  if (bytes.length === 0) return 'empty';
  const head = bytes.toString('latin1', 0, 16);
  if (/^P[1-6][\s#]/.test(head)) return 'a PGM or PPM, whose maximum decoders read in two ways';
  if (/^.{4}ftyp(?:avif|avis|heic|heix|mif1)/s.test(head)) return 'an AVIF or HEIF';
  return MARKS.find(([mark]) => head.startsWith(mark))?.[1];
}
