import { multipartParts } from '../multipart-parts.js';
import { RequestFault } from '../problem.js';

/** Parts that an inspection may have. */
const PARTS = ['image', 'guide_image', 'params'] as const;
type PartName = (typeof PARTS)[number];

/** One part of a form. */
export interface Part {
  /** Media type in small letters, without parameters. */
  type: string;
  bytes: Buffer;
}

/** The parts of a multipart body that is whole, each with a file name or without. @throws RequestFault `bad_request` */
export async function readForm(
  contentType: string,
  body: Uint8Array,
): Promise<Partial<Record<PartName, Part>>> {
  const parts: Partial<Record<PartName, { type: string; chunks: Uint8Array[] }>> = {};
  let chunks: Uint8Array[] = [];
  for await (const piece of multipartParts(contentType, [body])) {
    if (piece instanceof Uint8Array) {
      chunks.push(piece);
      continue;
    }
    const { name, type } = piece;
    if (!isPart(name)) {
      throw fault(`${name}: is no part of an inspection: its parts are ${PARTS.join(', ')}`);
    }
    if (parts[name]) throw fault(`${name}: is in the form twice: send it once`);
    chunks = [];
    parts[name] = { type, chunks };
  }
  return Object.fromEntries(
    Object.entries(parts).map(([name, { type, chunks }]) => [name, { type, bytes: joined(chunks) }]),
  );
}

/** Of a body that came whole a part is one piece, which needs no copy. */
function joined(chunks: readonly Uint8Array[]): Buffer {
  const [first] = chunks;
  return chunks.length === 1 && Buffer.isBuffer(first) ? first : Buffer.concat(chunks);
}

function isPart(name: string): name is PartName {
  return (PARTS as readonly string[]).includes(name);
}

function fault(message: string): RequestFault {
  return new RequestFault('bad_request', message);
}
