import { nodeCrypto } from '../node-crypto.js';
import { RunnerError } from '../errors.js';
import { crc32 } from '../package/crc32.js';

/** How the picture of each call is proven; `off` proves nothing. */
export type ProofPolicy = 'sampled' | 'full' | 'sha256' | 'off';

/** How a checksum was made. */
export type ProofMethod = 'sampled' | 'crc32' | 'sha256';

/** One picture as the worker has read it, which is as the host has sent it. */
export interface ProvenImage {
  /** Shared-memory id. */
  id: string;
  /** Which filling of its slot, from 1. */
  generation: number;
  /** Header and pixels of a `.npy` frame; the bytes of an encoded image. */
  sizeBytes: number;
  /** In hexadecimal digits: 8 of a CRC-32 (ISO-HDLC), 64 of a SHA-256. */
  checksum: string;
  /** `sampled`: CRC-32 of the header and of 32 places of 64 bytes, evenly over the picture. The others are of every byte. */
  method: ProofMethod;
}

/** What shows that a result is about the pictures that were sent. */
export interface PictureProof {
  /** Of the call, the image first; a guide image that is the image itself is not listed again. */
  images: ProvenImage[];
  /** `worker`: it confirmed the checksum of what it read. `host`: so it did, and the host had decoded the picture before. */
  by: 'worker' | 'host';
}

/** What stands behind the content of each picture: this mark, then its generation (unsigned, 64 bits, little-endian). */
export const TRAILER_BYTES = 16;
const TRAILER_MARK = Buffer.from('PVFRAME1', 'latin1');
const SAMPLES = 32;
const SAMPLE_BYTES = 64;
/** How much is summed up before others have their turn. */
const PORTION_BYTES = 1 << 20;

export function trailerOf(generation: number): Buffer {
  const trailer = Buffer.alloc(TRAILER_BYTES);
  writeTrailer(trailer, generation);
  return trailer;
}

/** Writes the trailer of a generation over these bytes. */
export function writeTrailer(target: Uint8Array, generation: number): void {
  target.set(TRAILER_MARK);
  let rest = generation;
  for (let at = TRAILER_MARK.length; at < TRAILER_BYTES; at++) {
    target[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

/** The generation that a trailer tells; undefined when it is none. */
export function generationIn(trailer: Uint8Array): number | undefined {
  const bytes = Buffer.from(trailer);
  if (bytes.length !== TRAILER_BYTES || !bytes.subarray(0, TRAILER_MARK.length).equals(TRAILER_MARK)) {
    return undefined;
  }
  return Number(bytes.readBigUInt64LE(TRAILER_MARK.length));
}

/** The method of a policy; undefined when nothing is to be proven. */
export function methodOf(policy: ProofPolicy | undefined): ProofMethod | undefined {
  if (policy === undefined || policy === 'off') return undefined;
  return policy === 'full' ? 'crc32' : policy;
}

/**
 * Checksum of a picture: its header (empty for an encoded image) and the rest. Of samples at once; of every byte by a promise,
 * which gives way to others at times.
 */
export function checksumOf(
  method: ProofMethod,
  header: Uint8Array,
  body: Uint8Array,
): string | Promise<string> {
  if (method === 'sampled') return hex(crc32(samplesOf(body), crc32(header)));
  return checksumOfAll(method, header, body);
}

async function checksumOfAll(
  method: Exclude<ProofMethod, 'sampled'>,
  header: Uint8Array,
  body: Uint8Array,
): Promise<string> {
  if (method === 'crc32') {
    let crc = crc32(header);
    await inPortions(body, (portion) => (crc = crc32(portion, crc)));
    return hex(crc);
  }
  const hash = nodeCrypto().createHash('sha256').update(header);
  await inPortions(body, (portion) => hash.update(portion));
  return hash.digest('hex');
}

const scratch = new Uint8Array(SAMPLES * SAMPLE_BYTES);
/**
 * Views of the samples, for as long as the view of the whole: frames come again, and to make these takes longer than to copy them. They
 * are for one length: that of a view of a resizable buffer changes with the buffer.
 */
const samples = new WeakMap<Uint8Array, { length: number; views: Uint8Array[] }>();

function samplesOf(body: Uint8Array): Uint8Array {
  if (body.length <= scratch.length) return body;
  const { length } = body;
  let kept = samples.get(body);
  if (kept?.length !== length) samples.set(body, (kept = { length, views: viewsIn(body) }));
  let to = 0;
  for (const view of kept.views) {
    scratch.set(view, to);
    to += SAMPLE_BYTES;
  }
  return scratch;
}

function viewsIn(body: Uint8Array): Uint8Array[] {
  const last = body.length - SAMPLE_BYTES;
  return Array.from({ length: SAMPLES }, (_, index) => {
    const at = Math.floor((index * last) / (SAMPLES - 1));
    return body.subarray(at, at + SAMPLE_BYTES);
  });
}

async function inPortions(body: Uint8Array, take: (portion: Uint8Array) => unknown): Promise<void> {
  for (let at = 0; at < body.length; at += PORTION_BYTES) {
    if (at > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    take(body.subarray(at, at + PORTION_BYTES));
  }
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}

/**
 * Holds what a worker says it has read against what it was sent.
 *
 * @throws RunnerError `frame_missing`, retryable, naming the picture and what differs
 */
export function checkProof(
  sent: readonly ProvenImage[],
  read: readonly ProvenImage[] | undefined,
  title: string,
): void {
  for (const expected of sent) {
    const found = read?.find(({ id }) => id === expected.id);
    const fault = found ? differenceOf(expected, found) : 'it did not tell what it read';
    if (fault === undefined) continue;
    throw new RunnerError(
      'frame_missing',
      `${title} answered about another picture than frame ${expected.id} that it was sent: ${fault}. Its verdict is not ` +
        'passed on; the picture is sent anew at the next attempt. Look for what else writes into the folder of frames, ' +
        "or for a worker that tells no proof (policy.proof: 'off' accepts that)",
      { retryable: true, details: { path: expected.id, raw: { sent: expected, read: found } } },
    );
  }
}

function differenceOf(sent: ProvenImage, read: ProvenImage): string | undefined {
  for (const field of ['generation', 'sizeBytes', 'method', 'checksum'] as const) {
    if (sent[field] !== read[field]) return `${field} ${read[field]} instead of ${sent[field]}`;
  }
  return undefined;
}
