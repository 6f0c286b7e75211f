import type { ArtifactRecord } from '../../records.js';
import { nodeCrypto } from '../../../node-crypto.js';
import type { OutgoingRecord } from './port.js';

/**
 * Where things lie in a folder or a bucket. Names come from ids alone: what is sent again, after an answer that was lost, replaces what
 * was stored by the attempt before.
 */

/** The records of a batch, one JSON object on each line, by the first of them: a batch that is sent again begins with the same. */
export function batchName(records: readonly OutgoingRecord[]): string {
  const [first] = records;
  if (!first) throw new Error('a batch has a record');
  const [station = '', ...rest] = first.ingestId.split('/');
  return `records/${safe(station)}/${safe(rest.join('_'))}-${short(first.ingestId)}.jsonl`;
}

/** The bytes of a picture. */
export function pictureName(artifact: ArtifactRecord): string {
  return `pictures/${artifactStem(artifact)}.${extensionOf(artifact.content_type)}`;
}

/** What the picture is. It is written after the bytes: what it names is there. */
export function artifactName(artifact: ArtifactRecord): string {
  return `artifacts/${artifactStem(artifact)}.json`;
}

function artifactStem({ artifact_id: id }: ArtifactRecord): string {
  return `${safe(id)}-${short(id)}`;
}

/** Ids come from hosts: no separator, no reserved name and no length of theirs reaches a file system. The digest keeps them apart. */
function safe(id: string): string {
  return id.replace(/[^\w-]/g, '_').slice(0, 80) || '_';
}

function short(id: string): string {
  return nodeCrypto().createHash('sha256').update(id).digest('hex').slice(0, 12);
}

function extensionOf(type: string): string {
  return (
    { 'image/png': 'png', 'image/jpeg': 'jpg', 'image/webp': 'webp', 'application/json': 'json' }[type] ??
    'bin'
  );
}
