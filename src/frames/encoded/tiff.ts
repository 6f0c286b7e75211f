import { orientationOf, readDirectory } from './exif.js';
import type { EncodedHeader, HeaderFault } from './types.js';

/** Fields of TIFF 6.0. */
const WIDTH = 256;
const HEIGHT = 257;
const BITS = 258;
const PHOTOMETRIC = 262;
const CHANNELS = 277;
const PLANES = 284;
const EXTRA_SAMPLES = 338;
const SAMPLE_FORMAT = 339;
/** By photometric interpretation; others are refused. */
const COLOURS: ReadonlyMap<number, { channels: 1 | 3; samples: readonly number[] }> = new Map([
  [0, { channels: 1, samples: [1, 2] }], // white is 0
  [1, { channels: 1, samples: [1, 2] }],
  [2, { channels: 3, samples: [3, 4] }],
  [3, { channels: 3, samples: [1] }], // palette
  [6, { channels: 3, samples: [3] }], // YCbCr
]);
const NAMES: ReadonlyMap<number, string> = new Map([
  [5, 'CMYK'],
  [8, 'CIE Lab'],
  [32_803, 'a colour filter array'],
]);
const WHITE_IS_ZERO = 0;
const SEPARATE = 2;

/**
 * The header of the first picture of a TIFF.
 *
 * @throws RangeError when it ends early
 */
export function readTiff(bytes: Buffer): EncodedHeader | HeaderFault {
  const fields = readDirectory(bytes);
  const one = (field: number, otherwise: number) => fields.get(field)?.[0] ?? otherwise;
  const [width, height] = [one(WIDTH, 0), one(HEIGHT, 0)];
  const photometric = one(PHOTOMETRIC, -1);
  const samples = one(CHANNELS, 1);
  const bits = one(BITS, 1);
  const colours = COLOURS.get(photometric);
  const remedy = 'save it as gray or RGB';
  if (!colours) {
    return {
      fault: `is a TIFF of ${NAMES.get(photometric) ?? `photometric kind ${photometric}`}: ${remedy}`,
    };
  }
  if (!colours.samples.includes(samples)) return { fault: `is a TIFF of ${samples} channels: ${remedy}` };
  if ((fields.get(SAMPLE_FORMAT) ?? []).some((format) => format !== 1)) {
    return {
      fault: 'is a TIFF of numbers with a sign or a fraction: save it as whole numbers of 8 or 16 bits',
    };
  }
  if (![1, 2, 4, 8, 16].includes(bits) || (fields.get(BITS) ?? []).some((other) => other !== bits)) {
    return {
      fault: `is a TIFF of ${(fields.get(BITS) ?? [bits]).join(', ')} bits a channel: save it as 8 or 16`,
    };
  }
  if (bits === 16 && photometric === WHITE_IS_ZERO) {
    return {
      fault:
        'is a TIFF of 16 bits in which white is 0, which decoders read in two ways: save it with black as 0',
    };
  }
  if (bits === 16 && samples > 1 && one(PLANES, 1) === SEPARATE) {
    return {
      fault: 'is a TIFF of 16 bits in separate planes, which decoders read in two ways: save it as one plane',
    };
  }
  return {
    ...{ format: 'TIFF', width, height, channels: colours.channels, bits: bits === 16 ? 16 : 8 },
    orientation: orientationOf(fields),
    // OpenCV writes four channels so: libtiff warns of it.
    ...(samples > colours.channels && !fields.has(EXTRA_SAMPLES) && { hasUnnamedChannel: true }),
  };
}
