// @ts-check
/**
 * The thread that decodes pictures: takes one job after the other, and answers `{ pixels }`, `{ isWhole }` where it was only to
 * check, or `{ fault }`. In a thread, because a JPEG of 5 megapixels takes a tenth of a second.
 *
 * JPEGs are decoded by libjpeg-turbo, compiled to WebAssembly: its pixels are those of Pillow, OpenCV and sharp to the bit.
 */
import { createRequire } from 'node:module';
import { parentPort } from 'node:worker_threads';
import { Damage } from './damage.mjs';
import { checkScans } from './jpeg-scan.mjs';
import { checkChunks, decodePng } from './png.mjs';
import { turned } from './turn.mjs';

/**
 * @typedef {{ task: 'decode' | 'check'; format: 'JPEG' | 'PNG'; bytes: Uint8Array; width: number; height: number;
 *   channels: number; turn: number; depth: 8 | 16; toEightBits: 'shift' | { min: number; max: number } }} Job
 * @typedef {{ getEncodedBuffer(length: number): Uint8Array; decode(): void; getDecodedBuffer(): Uint8Array;
 *   getFrameInfo(): { width: number; height: number; componentCount: number }; delete(): void }} Decoder
 * @typedef {{ JPEGDecoder: new () => Decoder }} Codec
 */

const CODEC = '@cornerstonejs/codec-libjpeg-turbo-8bit';
/** @type {Promise<Codec> | undefined} */
let codec;

parentPort?.on('message', (/** @type {Job} */ job) => void answer(job));

/** @param {Job} job */
async function answer(job) {
  try {
    if (job.task === 'check') {
      if (job.format === 'PNG') checkChunks(job.bytes);
      else checkScans(job.bytes);
      parentPort?.postMessage({ isWhole: true });
      return;
    }
    const stored = job.format === 'PNG' ? decodePng(job.bytes, job) : await decodeJpeg(job);
    const pixels = turned(stored, { ...job, channels: job.channels * (job.depth / 8) });
    parentPort?.postMessage({ pixels }, [pixels.buffer]);
  } catch (error) {
    // A header that says what cannot be makes a read fail that nobody looks after.
    const isDamage = error instanceof Damage || error instanceof RangeError;
    if (isDamage) parentPort?.postMessage({ fault: error instanceof Damage ? error.message : 'is damaged' });
    else parentPort?.postMessage({ failure: error instanceof Error ? error.message : String(error) });
  }
}

/** @param {Job} job @returns {Promise<Uint8Array<ArrayBuffer>>} */
async function decodeJpeg({ bytes, width, height, channels }) {
  const whole = checkScans(bytes);
  const { JPEGDecoder } = await (codec ??= loadCodec());
  let decoder;
  try {
    decoder = new JPEGDecoder();
    decoder.getEncodedBuffer(whole.length).set(whole);
    decoder.decode();
    const { componentCount, ...size } = decoder.getFrameInfo();
    if (size.width !== width || size.height !== height || componentCount !== channels) {
      throw new Damage('is not of the size that its header says');
    }
    return new Uint8Array(decoder.getDecodedBuffer());
  } catch (error) {
    codec = undefined; // what a decoder had taken when it failed is not given back
    if (error instanceof Damage) throw error;
    throw new Damage('cannot be decoded: libjpeg-turbo warns of its data');
  } finally {
    if (codec) decoder?.delete();
  }
}

/** @returns {Promise<Codec>} */
async function loadCodec() {
  const require = createRequire(import.meta.url);
  const file = require.resolve(`${CODEC}/decodewasm`);
  return require(`${CODEC}/decodewasmjs`)({ locateFile: () => file, print: ignore, printErr: ignore });
}

function ignore() {
  // Ignores what the codec prints: its errors say the same.
}
