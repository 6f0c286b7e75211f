import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, link, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { openArchive } from '../../src/package/archive/open-archive.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import type { Interpreter } from '../../src/python/types.js';
import { forgeZip, type ForgedEntry } from './forge-zip.js';
import { temporaryFolder } from './temp-folder.js';

const run = promisify(execFile);

/** Longest block of a frame (RFC 8878, 3.1.1.2.4). */
const BLOCK_BYTES = 128 * 1024;

/** A frame of Zstandard whose blocks are not compressed: no Node is too old to write it. */
export function rawFrame(content: Uint8Array): Buffer {
  const descriptor = Buffer.alloc(9);
  descriptor[0] = 0b1010_0000; // one segment, its size in four bytes
  descriptor.writeUInt32LE(content.length, 1);
  const parts: Uint8Array[] = [frameMagic, descriptor.subarray(0, 5)];
  for (let at = 0; at === 0 || at < content.length; at += BLOCK_BYTES) {
    const block = content.subarray(at, at + BLOCK_BYTES);
    const isLast = at + BLOCK_BYTES >= content.length;
    parts.push(blockHeader(block.length, 0, isLast), block);
  }
  return Buffer.concat(parts);
}

/** A frame that grows to so many zeros: of each block one byte, repeated. The size is not said. */
export function growingFrame(bytes: number, windowLog = 17): Buffer {
  const parts: Uint8Array[] = [frameMagic, Buffer.from([0, (windowLog - 10) << 3])];
  for (let left = bytes; left > 0; left -= BLOCK_BYTES) {
    parts.push(blockHeader(Math.min(left, BLOCK_BYTES), 1, left <= BLOCK_BYTES), Buffer.alloc(1));
  }
  return Buffer.concat(parts);
}

const frameMagic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

function blockHeader(bytes: number, type: number, isLast: boolean): Buffer {
  const header = Buffer.alloc(3);
  header.writeUIntLE((bytes << 3) | (type << 1) | Number(isLast), 0, 3);
  return header;
}

const { zstdCompressSync } = zlib as typeof zlib & { zstdCompressSync?: (content: Uint8Array) => Buffer };

/** Compressed where this Node can. */
export const frameOf = (content: Uint8Array): Buffer =>
  zstdCompressSync ? zstdCompressSync(content) : rawFrame(content);

/** Why this Node reads no entries compressed by Zstandard; undefined where it does. */
export const nodeReason =
  zstdCompressSync === undefined
    ? `Node ${process.versions.node} has no Zstandard: 22.15 or 23.8 is needed`
    : undefined;

/** The same archive, its entries compressed by Zstandard. */
export async function inZstandard(
  zip: Uint8Array,
  bend: (entry: ForgedEntry) => ForgedEntry = (entry) => entry,
): Promise<Buffer> {
  const file = path.join(await temporaryFolder(), 'plain.zip');
  await writeFile(file, zip);
  await using archive = await openArchive(file);
  const entries: ForgedEntry[] = [];
  for (const entry of archive.entries) {
    if (entry.isDirectory) continue;
    const data = await archive.read(entry, { maxBytes: entry.sizeBytes });
    const mode = 0o100000 | (entry.mode ?? 0o644);
    entries.push(
      bend({
        name: entry.name,
        data,
        method: 93,
        packed: frameOf(data),
        mode,
        central: { versionNeeded: 63 },
      }),
    );
  }
  return forgeZip(entries);
}

const MAVEN = 'org.bytedeco:cpython:3.14.3-1.5.13:jar:linux-x86_64';

/**
 * A Python that reads Zstandard: of the machine, else the one that Maven Central has, kept in the temp dir of the machine
 * for the next run; or why there is none. That one finds its library by `LD_LIBRARY_PATH`, which is set here.
 */
export async function zstandardPython(): Promise<{ interpreter: Interpreter } | { reason: string }> {
  const manager = new VenvManager();
  const found = (await manager.interpreters()).find(({ readsZstandard }) => readsZstandard);
  if (found) return { interpreter: found };
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return { reason: 'no Python 3.14 with compression.zstd is here' };
  const cache = process.env.PROCVISION_TEST_CACHE ?? os.tmpdir();
  const folder = path.join(cache, `procvision-test-python-3.14-${process.getuid?.() ?? 0}`);
  try {
    if (!existsSync(folder)) await fetchPython(cache, folder);
  } catch (error) {
    const [why = ''] = (error as Error).message.split('\n');
    return { reason: `Python 3.14 cannot be had: ${why}` };
  }
  const { LD_LIBRARY_PATH } = process.env;
  process.env.LD_LIBRARY_PATH = [
    path.join(folder, 'only'),
    ...(LD_LIBRARY_PATH ? [LD_LIBRARY_PATH] : []),
  ].join(':');
  const interpreter = await new VenvManager({ python: path.join(folder, 'bin/python3.14') }).select({});
  return interpreter.readsZstandard
    ? { interpreter }
    : { reason: `${interpreter.path} has no compression.zstd` };
}

async function fetchPython(cache: string, folder: string): Promise<void> {
  const work = await mkdtemp(path.join(cache, 'pv-test-python-'));
  const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1';
  const options = ['-q', '-B', `-Dartifact=${MAVEN}`, `-DoutputDirectory=${work}`, '-Dtransitive=false'];
  try {
    await run('mvn', [`${plugin}:get`, `${plugin}:copy`, ...options], { timeout: 120_000, cwd: work });
    await run('python3', ['-m', 'zipfile', '-e', 'cpython-3.14.3-1.5.13-linux-x86_64.jar', '.'], {
      cwd: work,
    });
    const root = path.join(work, 'org/bytedeco/cpython/linux-x86_64');
    await chmod(path.join(root, 'bin/python3.14'), 0o755);
    const library = 'libpython3.14.so.1.0';
    await mkdir(path.join(root, 'only'));
    await link(path.join(root, library), path.join(root, 'only', library));
    // Another process may have been faster.
    await rename(root, folder).catch(() => undefined);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
