import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { throwIfAborted } from '../abort.js';
import { withReceivedUpload } from '../deploy/install/received-upload.js';
import type { InstallOptions } from '../deploy/types.js';
import { RunnerError } from '../errors.js';
import { describe } from '../options.js';
import { packProject } from '../package/pack.js';
import type { RegistryEntry } from '../registry/types.js';
import type { EnsureOptions, PackageSource, RunnerParts } from './types.js';

/** A package that can be read as often as it takes. */
interface Repeatable {
  /** Its bytes, once more. */
  bytes: () => AsyncIterable<Uint8Array>;
  /** What the deployer is given. */
  install: () => string | Readable;
  options: Pick<InstallOptions, 'fileName' | 'origin'>;
}

/** See `Runner.ensureInstalled`. */
export async function ensureInstalled(
  runner: RunnerParts,
  source: PackageSource,
  o: EnsureOptions,
): Promise<RegistryEntry> {
  const entry = await withRepeatable(runner, source, o, (found) => installOnce(runner, found, o));
  await activate(runner, entry, o);
  return entry;
}

/** A stream can be read once: it is received first, where uploads are, and installed from there. */
async function withRepeatable(
  runner: RunnerParts,
  source: PackageSource,
  { signal }: EnsureOptions,
  work: (found: Repeatable) => Promise<RegistryEntry>,
): Promise<RegistryEntry> {
  const given = isUrl(source) ? pathOf(new URL(source)) : source;
  if (typeof given === 'string') return work(await onDisk(runner, given));
  if (given instanceof Uint8Array) return work(repeatable(() => Readable.from([viewOf(given)])));
  if (typeof given !== 'object' || (given as unknown) === null) throw unreadable(given);
  if (isBlob(given)) return work(repeatable(() => fromWeb(given.stream() as ReadableStream<Uint8Array>)));
  const stream = isNodeStream(given) ? given : isWebStream(given) ? fromWeb(given) : undefined;
  if (!stream) throw unreadable(given);
  const { registry, deployer } = runner;
  const receive = { signal, idleMs: deployer.uploadIdleMs };
  return withReceivedUpload(
    registry,
    stream,
    (file) => work(repeatable(() => createReadStream(file))),
    receive,
  );
}

function repeatable(open: () => Readable, options: Repeatable['options'] = {}): Repeatable {
  return { bytes: open, install: open, options };
}

async function onDisk({ validator }: RunnerParts, file: string): Promise<Repeatable> {
  if (!(await isFolder(file)))
    return { bytes: () => createReadStream(file), install: () => file, options: {} };
  if (validator.integrityMode === 'strict') {
    throw new RunnerError(
      'invalid_zip',
      `${file} is a folder, and signatures are of zips: where integrity is strict, a package is installed from its signed zip`,
      { details: { path: file } },
    );
  }
  const pack = () => Readable.from(packProject(file, { compress: false }), { objectMode: false });
  return repeatable(pack, { fileName: file, origin: 'local' });
}

async function installOnce(
  { registry, deployer }: RunnerParts,
  { bytes, install, options }: Repeatable,
  { force, operator, signal }: EnsureOptions,
): Promise<RegistryEntry> {
  const digest = await digestOf(bytes(), signal);
  const deployed = async () =>
    digest === undefined
      ? undefined
      : (await registry.list({}, { signal })).find(({ sha256 }) => sha256 === digest);
  const same = await deployed();
  if (same) return same;
  try {
    return await deployer.install(install(), { ...options, force, operator, signal });
  } catch (error) {
    // Another process may have installed these very bytes in between.
    const now = RunnerError.is(error, 'already_installed') ? await deployed() : undefined;
    if (now) return now;
    throw error;
  }
}

/** A file that cannot be read has no digest: the install says what is wrong with it. */
async function digestOf(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of bytes) {
      throwIfAborted(signal, 'install');
      hash.update(chunk);
    }
  } catch (error) {
    if (RunnerError.is(error)) throw error;
    return undefined;
  }
  return hash.digest('hex');
}

async function activate(
  { registry }: RunnerParts,
  entry: RegistryEntry,
  { activate: asked = false, operator, signal }: EnsureOptions,
): Promise<void> {
  if (asked === false) return;
  const { name, version, supported_pids: supported } = entry;
  if (asked === true && supported.length === 0) {
    throw new RunnerError(
      'invalid_params',
      `${name} ${version} names no product ids that it supports: give activate a list of them`,
      { details: { path: 'activate', name, version } },
    );
  }
  const active = await registry.active({ signal });
  const isServed = (id: string) => active[id]?.name === name && active[id].version === version;
  const pids = (asked === true ? supported : asked).filter((id) => !isServed(id));
  if (pids.length > 0) await registry.activate({ name, version, productIds: pids, operator, signal });
}

/** A path of Windows begins with one letter and a colon. */
function isUrl(source: PackageSource): source is string | URL {
  return source instanceof URL || (typeof source === 'string' && /^[a-z][a-z0-9+.-]+:/i.test(source));
}

function pathOf(url: URL): string {
  if (url.protocol !== 'file:') {
    throw invalid(`must be a file: URL, not ${url.protocol}//…: fetch the package, and hand over its stream`);
  }
  return fileURLToPath(url);
}

function unreadable(given: unknown): RunnerError {
  return invalid(
    `must be a path, a file: URL, the bytes of a zip or a stream of them, not ${describe(given)}`,
  );
}

function invalid(fault: string): RunnerError {
  return new RunnerError('invalid_params', `runner.ensureInstalled(source): source ${fault}`, {
    details: { path: 'source' },
  });
}

function isFolder(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** By their shape: the classes of another realm and of polyfills are no instances of this one's. */
function isBlob(value: object): value is Blob {
  return 'stream' in value && 'arrayBuffer' in value;
}

function isNodeStream(value: object): value is Readable {
  return 'pipe' in value && 'destroy' in value;
}

function isWebStream(value: object): value is ReadableStream<Uint8Array> {
  return 'getReader' in value;
}

function fromWeb(stream: ReadableStream<Uint8Array>): Readable {
  return Readable.fromWeb(stream as Parameters<typeof Readable.fromWeb>[0]);
}

/** The same bytes: a stream made of a plain `Uint8Array` would go through its numbers. */
function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
