import { RunnerError } from '../errors.js';

const MAGIC = Buffer.from('\u0093NUMPY\u0001\u0000', 'latin1');

/** Pixels and shape of an image in NumPy's format 1.0 in C order, of uint8 or of gray uint16. @throws RunnerError `invalid_params` naming the file */
export function readNpy(
  bytes: Buffer,
  file: string,
): { data: Uint8Array; width: number; height: number; channels: 1 | 3; pixelFormat?: 'Mono16' } {
  const start = MAGIC.length + 2 + (bytes.length > MAGIC.length + 2 ? bytes.readUInt16LE(MAGIC.length) : 0);
  const header = bytes.subarray(MAGIC.length + 2, start).toString('latin1');
  const shape = /'shape': \((\d+), (\d+)(?:, (1|3))?\)/.exec(header);
  const isWide = header.includes("'<u2'") && shape?.[3] === undefined;
  const isKnown = (isWide || header.includes("'|u1'")) && header.includes("'fortran_order': False");
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC) || !shape || !isKnown) {
    throw new RunnerError(
      'invalid_params',
      `${file} is no image in NumPy's format 1.0 (uint8 or gray uint16, C order)`,
      {
        details: { path: file },
      },
    );
  }
  const [height, width, channels] = [Number(shape[1]), Number(shape[2]), Number(shape[3] ?? 1) as 1 | 3];
  const data = bytes.subarray(start);
  const shaped = { data, width, height, channels, ...(isWide && { pixelFormat: 'Mono16' as const }) };
  if (data.length === height * width * channels * (isWide ? 2 : 1)) return shaped;
  throw new RunnerError('invalid_params', `${file} ends before its last pixel, or goes on after it`, {
    details: { path: file },
  });
}
