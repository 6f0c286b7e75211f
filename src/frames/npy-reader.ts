import { RunnerError } from '../errors.js';

const MAGIC = Buffer.from('\u0093NUMPY\u0001\u0000', 'latin1');

/** Pixels and shape of an image in NumPy's format 1.0, uint8 in C order. @throws RunnerError `invalid_params` naming the file */
export function readNpy(
  bytes: Buffer,
  file: string,
): { data: Uint8Array; width: number; height: number; channels: 1 | 3 } {
  const start = MAGIC.length + 2 + (bytes.length > MAGIC.length + 2 ? bytes.readUInt16LE(MAGIC.length) : 0);
  const header = bytes.subarray(MAGIC.length + 2, start).toString('latin1');
  const shape = /'shape': \((\d+), (\d+)(?:, (1|3))?\)/.exec(header);
  const isBytes = header.includes("'|u1'") && header.includes("'fortran_order': False");
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC) || !shape || !isBytes) {
    throw new RunnerError('invalid_params', `${file} is no image in NumPy's format 1.0 (uint8, C order)`, {
      details: { path: file },
    });
  }
  const [height, width, channels] = [Number(shape[1]), Number(shape[2]), Number(shape[3] ?? 1) as 1 | 3];
  const data = bytes.subarray(start);
  if (data.length === height * width * channels) return { data, width, height, channels };
  throw new RunnerError('invalid_params', `${file} ends before its last pixel, or goes on after it`, {
    details: { path: file },
  });
}
