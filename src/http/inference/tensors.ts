import * as v from 'valibot';
import { shown } from '../../package/text.js';
import { RequestFault } from '../problem.js';

/** Bytes of one element, by data type of the Open Inference Protocol; BYTES has a length before each. */
const WIDTH_OF: Readonly<Record<string, number>> = {
  ...{
    BOOL: 1,
    UINT8: 1,
    UINT16: 2,
    UINT32: 4,
    UINT64: 8,
    INT8: 1,
    INT16: 2,
    INT32: 4,
    INT64: 8,
    FP32: 4,
    FP64: 8,
  },
};
const LENGTH_BYTES = 4;
/** Data types of the Open Inference Protocol that a tensor may have. */
export const DATATYPES = [...Object.keys(WIDTH_OF), 'BYTES'];
/** Of a tensor, and of one of its dimensions. */
export const MOST_ELEMENTS = 2 ** 30;
/** Dimensions of a tensor. */
export const MOST_DIMENSIONS = 8;

const dimension = v.pipe(
  v.number('must be a list of whole numbers'),
  v.integer(),
  v.minValue(0),
  v.maxValue(MOST_ELEMENTS),
);

/** One input tensor, as JSON has it. */
export const TENSOR = v.looseObject({
  name: v.string('must be a string'),
  shape: v.pipe(v.array(dimension, 'must be a list of whole numbers'), v.maxLength(MOST_DIMENSIONS)),
  datatype: v.picklist(DATATYPES, `must be BYTES or one of ${Object.keys(WIDTH_OF).join(', ')}`),
  parameters: v.optional(v.record(v.string(), v.unknown())),
  data: v.optional(v.array(v.unknown(), 'must be a list')),
});

export type TensorHead = v.InferOutput<typeof TENSOR>;

/** A tensor: its elements as bytes of the binary extension, or as values of JSON. */
export type Tensor = Pick<TensorHead, 'name' | 'shape' | 'datatype'> &
  ({ bytes: Buffer; values?: undefined } | { values: unknown[]; bytes?: undefined });

/**
 * Takes each input's elements from JSON, or from the bytes that follow it, in the order of the inputs (extension
 * `binary_tensor_data`).
 *
 * @throws RequestFault `bad_request` naming the input
 */
export function readTensors(heads: readonly TensorHead[], binary: Buffer): Tensor[] {
  let at = 0;
  const tensors = heads.map(({ name, shape, datatype, parameters, data }): Tensor => {
    const size = parameters?.binary_data_size;
    if ((data === undefined) === (size === undefined)) {
      throw wrong(
        name,
        'needs data, or parameters.binary_data_size with its bytes behind the JSON, and not both',
      );
    }
    const elements = shape.reduce((product, side) => product * side, 1);
    if (data !== undefined) {
      const values = flat(name, data);
      if (values.length === elements) return { name, shape, datatype, values };
      throw wrong(
        name,
        `has ${values.length} elements, and its shape [${shape.join(', ')}] asks for ${elements}`,
      );
    }
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || at + size > binary.length) {
      throw wrong(
        name,
        `has a binary_data_size that the body does not hold: ${binary.length - at} bytes are left`,
      );
    }
    const width = WIDTH_OF[datatype];
    if (width !== undefined && size !== elements * width) {
      throw wrong(
        name,
        `has ${size} bytes, and its shape [${shape.join(', ')}] of ${datatype} asks for ${elements * width}`,
      );
    }
    const bytes = binary.subarray(at, at + size);
    at += size;
    return { name, shape, datatype, bytes };
  });
  if (at === binary.length) return tensors;
  throw new RequestFault(
    'bad_request',
    `inputs: ${binary.length - at} bytes behind the JSON belong to no input`,
  );
}

/** Lists in lists as one. Lists that are nested by thousands are no tensor, and would use up the stack. */
function flat(name: string, data: unknown[]): unknown[] {
  const values: unknown[] = data.flat(MOST_DIMENSIONS);
  if (!values.some(Array.isArray)) return values;
  throw wrong(name, `has lists in more than ${MOST_DIMENSIONS} lists`);
}

/** The elements of a tensor as values of JSON. @throws RequestFault `bad_request` */
export function valuesOf({ name, datatype, bytes, values }: Tensor): unknown[] {
  if (values) return values;
  const found: unknown[] = [];
  const width = WIDTH_OF[datatype];
  for (let at = 0; at < bytes.length;) {
    if (width !== undefined) {
      const value = elementAt(bytes, at, datatype);
      if (
        typeof value === 'number' &&
        datatype.endsWith('64') &&
        datatype !== 'FP64' &&
        !Number.isSafeInteger(value)
      ) {
        throw wrong(name, 'has a whole number past 2^53, which would be changed: give a smaller number');
      }
      found.push(value);
      at += width;
      continue;
    }
    const length = at + LENGTH_BYTES <= bytes.length ? bytes.readUInt32LE(at) : Infinity;
    if (at + LENGTH_BYTES + length > bytes.length) throw wrong(name, 'has an element that is cut off');
    found.push(bytes.toString('utf8', at + LENGTH_BYTES, at + LENGTH_BYTES + length));
    at += LENGTH_BYTES + length;
  }
  return found;
}

function elementAt(bytes: Buffer, at: number, datatype: string): unknown {
  switch (datatype) {
    case 'BOOL':
      return bytes[at] !== 0;
    case 'UINT64':
      return Number(bytes.readBigUInt64LE(at));
    case 'INT64':
      return Number(bytes.readBigInt64LE(at));
    case 'FP32':
      return bytes.readFloatLE(at);
    case 'FP64':
      return bytes.readDoubleLE(at);
    default: {
      const width = WIDTH_OF[datatype] ?? 1;
      return datatype.startsWith('U') ? bytes.readUIntLE(at, width) : bytes.readIntLE(at, width);
    }
  }
}

/** Texts as BYTES of the binary extension. */
export function bytesOf(strings: readonly string[]): Buffer {
  return Buffer.concat(
    strings.flatMap((text) => {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

/** A fault of an input. */
export function wrong(name: string, fault: string): RequestFault {
  return new RequestFault('bad_request', `inputs.${shown(name)}: ${fault}`);
}
