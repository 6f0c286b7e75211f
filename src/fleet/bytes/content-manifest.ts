import { createHash } from 'node:crypto';
import type { OperationOptions } from '../../abort.js';
import type { Archive } from '../../package/archive-types.js';
import { nameFault } from '../../package/archive/entry-name.js';
import { checkUnpackedSizes, resolveLimits } from '../../package/archive/limits.js';
import { zipFault, type Fault } from '../../package/archive/fault.js';
import { NameTree } from '../../package/archive/name-tree.js';
import { digestLines, OF_NOTHING } from '../../package/integrity/digest.js';
import { MAX_SIGNATURE_BYTES } from '../../package/integrity/signature.js';
import { SIGNATURE_ENTRY } from '../../package/project-layout.js';
import { decodeUtf8 } from '../../package/text.js';
import type { ArchiveLimits } from '../../package/types.js';

/** One entry of a package. */
export interface ContentEntry {
  /** Path in the package, with `/`; a folder's without a slash at its end. */
  name: string;
  isDirectory: boolean;
  sizeBytes: number;
  /** Of the content, lower-case hex. */
  sha256: string;
  isExecutable: boolean;
}

/**
 * What a package is made of. As text it has two parts with an empty line between them: the lines that the canonical digest
 * is over, and then what that leaves out: `signature <base64>` with the content of `SIGNATURE`, and `+x <name>` for each
 * executable file. The digest of the first part is the digest of the package, so that a source cannot lie about it.
 */
export interface ContentManifest {
  /** Canonical digest of the package, lower-case hex. */
  digest: string;
  /** Without `SIGNATURE`, sorted by name. */
  entries: readonly ContentEntry[];
  /** Content of the entry `SIGNATURE`. */
  signature: Buffer | undefined;
  /** Sum of the sizes of the entries. */
  totalBytes: number;
  /** As it is sent and kept. */
  text: Buffer;
}

/** What a source sent is no manifest of the package that was asked for; says why. */
export class ManifestMismatch extends Error {}

const DIGEST = /^[0-9a-f]{64}$/;

/** Whether a value is a SHA-256 in lower-case hex. */
export function isDigest(value: unknown): value is string {
  return typeof value === 'string' && DIGEST.test(value);
}

/** Longest line: digest, size, a name of a kilobyte. */
const LINE_BYTES = 64 + 1 + 16 + 1 + 1_024 + 1;
const MOST_MANIFEST_BYTES = 64 * 2 ** 20;

/** How long a manifest may be that the limits let through. */
export function manifestBytesAtMost(limits: Partial<ArchiveLimits> | undefined): number {
  return Math.min(
    MOST_MANIFEST_BYTES,
    resolveLimits(limits).maxEntries * 2 * LINE_BYTES + 2 * MAX_SIGNATURE_BYTES,
  );
}

/** Reads a whole package once. */
export async function manifestOf(archive: Archive, o: OperationOptions = {}): Promise<ContentManifest> {
  const lines = await digestLines(archive, o);
  const more: string[] = [];
  for (const entry of archive.entries) {
    const { name, isDirectory, sizeBytes, mode = 0 } = entry;
    if (isDirectory) continue;
    // A longer one is no signature: it proves nothing, and the digest leaves it out.
    if (name === SIGNATURE_ENTRY && sizeBytes <= MAX_SIGNATURE_BYTES) {
      more.push(`signature ${(await archive.read(entry, o)).toString('base64')}\n`);
    } else if (name !== SIGNATURE_ENTRY && (mode & 0o111) !== 0) more.push(`+x ${name}\n`);
  }
  const text = Buffer.from(`${lines.join('')}\n${more.sort().join('')}`);
  const digest = createHash('sha256').update(lines.join('')).digest('hex');
  return parseManifest(text, digest, archive.limits);
}

/**
 * Reads the text of a manifest. Its digest is checked before anything of it is read.
 *
 * @throws ManifestMismatch when it is not the manifest of this digest; RunnerError `invalid_zip` when it is, and the package
 * that was signed so cannot be
 */
export function parseManifest(
  text: Buffer,
  digest: string,
  limits?: Partial<ArchiveLimits>,
): ContentManifest {
  const end = text[0] === LINE_FEED ? 0 : text.indexOf('\n\n') + 1;
  if (end === 0 && text[0] !== LINE_FEED) throw new ManifestMismatch('sent a manifest without its end');
  const signed = text.subarray(0, end);
  const actual = createHash('sha256').update(signed).digest('hex');
  if (actual !== digest) throw new ManifestMismatch(`sent the manifest of ${actual}, not of ${digest}`);
  const { signature, executable } = readRest(text.subarray(end + 1));
  const path = `The package ${digest}`;
  const content = decodeUtf8(signed);
  if (content === undefined) throw zipFault(path, 'has a name that is not UTF-8');
  const lines = content.split('\n').slice(0, -1);
  const { maxEntries } = resolveLimits(limits);
  if (lines.length > maxEntries) {
    throw zipFault(path, `has ${lines.length} entries, more than the ${maxEntries} permitted`);
  }
  const entries = lines.map((line) => readLine(path, line, executable));
  checkNames(path, entries, signature !== undefined);
  const sizes = entries.map((entry) => ({ ...entry, compressedBytes: entry.sizeBytes }));
  const totalBytes = checkUnpackedSizes(path, resolveLimits(limits), sizes);
  return { digest, entries, signature, totalBytes, text };
}

const LINE_FEED = 0x0a;

function readLine(path: string, line: string, executable: ReadonlySet<string>): ContentEntry {
  const [, sha256 = '', size = '', written = ''] =
    /^([0-9a-f]{64}) (0|[1-9]\d{0,15}) (.+)$/s.exec(line) ?? [];
  if (sha256 === '') throw zipFault(path, 'has a line that is no entry');
  const isDirectory = written.endsWith('/');
  const name = isDirectory ? written.slice(0, -1) : written;
  const sizeBytes = Number(size);
  if (isDirectory && (sizeBytes > 0 || sha256 !== OF_NOTHING))
    throw zipFault(path, 'is a folder with content', name);
  return { name, isDirectory, sizeBytes, sha256, isExecutable: executable.has(name) };
}

/** As an archive's names are held to: what is put together here must be a package that can be read. */
function checkNames(path: string, entries: readonly ContentEntry[], isSigned: boolean): void {
  const names = new NameTree<{ name: string; isDirectory: boolean }>();
  if (isSigned) names.add({ name: SIGNATURE_ENTRY, isDirectory: false });
  let before: Buffer | undefined;
  for (const entry of entries) {
    const { name, isDirectory } = entry;
    const fault: Fault | undefined =
      nameFault(name) ??
      (name.includes('\\') ? 'its name has a backslash in it' : undefined) ??
      (name === SIGNATURE_ENTRY ? 'its name is that of the signature' : undefined) ??
      names.add(entry);
    if (fault !== undefined) throw zipFault(path, fault, name);
    const key = Buffer.from(isDirectory ? `${name}/` : name);
    // Folders may be there twice: tools that merge archives do that.
    if (before && before.compare(key) > 0) throw zipFault(path, 'is not in the order of its name', name);
    before = key;
  }
}

/** What is not signed. A line of another kind is of a later release. */
function readRest(bytes: Buffer): { signature: Buffer | undefined; executable: ReadonlySet<string> } {
  let signature: Buffer | undefined;
  const executable = new Set<string>();
  for (const line of bytes.toString('utf8').split('\n')) {
    if (line.startsWith('+x ')) executable.add(line.slice(3));
    else if (line.startsWith('signature ')) {
      if (signature) throw new ManifestMismatch('sent a manifest with two signatures');
      signature = Buffer.from(line.slice(10), 'base64');
      if (signature.length > MAX_SIGNATURE_BYTES || signature.toString('base64') !== line.slice(10)) {
        throw new ManifestMismatch('sent a manifest with a signature that is none');
      }
    }
  }
  return { signature, executable };
}
