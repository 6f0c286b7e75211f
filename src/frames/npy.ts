/** NumPy's format 1.0 (NumPy Enhancement Proposal 1), for uint8 and uint16 in C order: what a worker is handed. */

const MAGIC = Buffer.from('\u0093NUMPY\u0001\u0000', 'latin1');
/** The header ends at a multiple of this, so that the pixels are aligned. */
const ALIGNMENT = 64;

/** Header of an image: shape (height, width, 3), or (height, width) for one channel. `valueBytes`: 2 for uint16, little-endian. */
export function npyHeader(height: number, width: number, channels: 1 | 3, valueBytes: 1 | 2 = 1): Buffer {
  const shape = channels === 1 ? `(${height}, ${width})` : `(${height}, ${width}, ${channels})`;
  const dictionary = `{'descr': '${valueBytes === 2 ? '<u2' : '|u1'}', 'fortran_order': False, 'shape': ${shape}, }`;
  const unpadded = MAGIC.length + 2 + dictionary.length + 1;
  const total = Math.ceil(unpadded / ALIGNMENT) * ALIGNMENT;
  const header = Buffer.alloc(total, ' ');
  MAGIC.copy(header);
  header.writeUInt16LE(total - MAGIC.length - 2, MAGIC.length);
  header.write(dictionary, MAGIC.length + 2, 'latin1');
  header.write('\n', total - 1, 'latin1');
  return header;
}
