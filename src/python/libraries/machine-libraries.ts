import { readdir, readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Binary } from '../../package/binaries/binary.js';
import { readBinary } from '../../package/binaries/read-binary.js';

/** A library that was found. */
export interface FoundLibrary {
  /** Absolute, links followed. */
  path: string;
  binary: Binary;
}

/** Where a library is looked for, in place of what this machine has. */
export interface SearchPlaces {
  /** Cache of the dynamic linker. @defaultValue `/etc/ld.so.cache` */
  cache?: string;
  /** Folders that are looked in when the cache has no answer. @defaultValue those of glibc, Debian and musl */
  folders?: readonly string[];
  /** `LD_LIBRARY_PATH`, which workers inherit. @defaultValue that of this process */
  libraryPath?: string;
}

/** What a new cache begins with (glibc, sysdeps/generic/dl-cache.h). */
const CACHE_MAGIC = 'glibc-ld.so.cache1.1';
const CACHE_HEADER_BYTES = 48;
const CACHE_ENTRY_BYTES = 24;

/** Folders of multiarch (Debian), by `process.arch`. */
const TRIPLETS: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  ia32: 'i386-linux-gnu',
  arm: 'arm-linux-gnueabihf',
};

/** Finds shared libraries as the dynamic linker of Linux does (ld.so(8)). Each file is read once. */
export class MachineLibraries {
  readonly #places: SearchPlaces;
  readonly #read = new Map<string, Promise<FoundLibrary | undefined>>();
  #cached: Promise<ReadonlyMap<string, readonly string[]>> | undefined;
  #folders: Promise<readonly string[]> | undefined;

  constructor(places: SearchPlaces = {}) {
    this.#places = places;
  }

  /** The library that a file would get by a name; undefined where there is none of its kind. */
  async find(name: string, by: FoundLibrary): Promise<FoundLibrary | undefined> {
    if (name.includes('/')) return this.#ifFits(expand(name, by), by);
    const { rpath, runpath } = by.binary;
    const before = runpath.length > 0 ? [] : rpath;
    const libraryPath = (this.#places.libraryPath ?? process.env.LD_LIBRARY_PATH ?? '').split(/[:;]/);
    const named = [...before, ...libraryPath, ...runpath].filter((folder) => folder !== '');
    for (const folder of named) {
      const found = await this.#ifFits(path.join(expand(folder, by), name), by);
      if (found) return found;
    }
    this.#cached ??= readCache(this.#places.cache ?? '/etc/ld.so.cache');
    for (const file of (await this.#cached).get(name) ?? []) {
      const found = await this.#ifFits(file, by);
      if (found) return found;
    }
    this.#folders ??= this.#places.folders ? Promise.resolve(this.#places.folders) : defaultFolders();
    for (const folder of await this.#folders) {
      const found = await this.#ifFits(path.join(folder, name), by);
      if (found) return found;
    }
    return undefined;
  }

  /** A compiled file; undefined where there is none at that path. @throws BinaryFault for a damaged one */
  async open(file: string): Promise<FoundLibrary | undefined> {
    const real = await realpath(file).catch(() => undefined);
    if (real === undefined) return undefined;
    let answer = this.#read.get(real);
    if (!answer) {
      answer = readBinary(real).then((binary) => binary && { path: real, binary });
      this.#read.set(real, answer);
    }
    return answer;
  }

  /** A library for another processor is passed over, as the linker does. */
  async #ifFits(file: string, { binary }: FoundLibrary): Promise<FoundLibrary | undefined> {
    const found = await this.open(file).catch(() => undefined); // damaged, or not readable to this user
    return found?.binary.arch === binary.arch && found.binary.bits === binary.bits ? found : undefined;
  }
}

/** Names and files of the cache; empty where there is none (musl), or of a kind that is not known. */
export async function readCache(file: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>();
  const all = await readFile(file).catch(() => Buffer.alloc(0));
  const start = all.indexOf(CACHE_MAGIC);
  if (start < 0 || all.length < start + CACHE_HEADER_BYTES) return found;
  const cache = all.subarray(start);
  const count = cache.readUInt32LE(20);
  const textAt = (at: number) => cache.toString('utf8', at, Math.max(at, cache.indexOf(0, at)));
  for (let index = 0; index < count; index++) {
    const at = CACHE_HEADER_BYTES + index * CACHE_ENTRY_BYTES;
    if (at + CACHE_ENTRY_BYTES > cache.length) break;
    const [key, value] = [cache.readUInt32LE(at + 4), cache.readUInt32LE(at + 8)];
    if (key >= cache.length || value >= cache.length) continue;
    const name = textAt(key);
    const files = found.get(name) ?? [];
    files.push(textAt(value));
    found.set(name, files);
  }
  return found;
}

/** What a folder of a file means: `$ORIGIN` is the folder of the file, `$LIB` that of the system for its class. */
function expand(folder: string, { path: file, binary }: FoundLibrary): string {
  return folder
    .replaceAll(/\$(?:ORIGIN|\{ORIGIN\})/g, path.dirname(file))
    .replaceAll(/\$(?:LIB|\{LIB\})/g, binary.bits === 64 ? 'lib64' : 'lib')
    .replaceAll(/\$(?:PLATFORM|\{PLATFORM\})/g, binary.arch === 'x64' ? 'x86_64' : binary.arch);
}

async function defaultFolders(): Promise<string[]> {
  const triplet = TRIPLETS[process.arch];
  const common = ['/lib64', '/usr/lib64', '/lib', '/usr/lib', '/usr/local/lib'];
  const multiarch = triplet === undefined ? [] : [`/lib/${triplet}`, `/usr/lib/${triplet}`];
  const files = (await readdir('/etc').catch(() => [])).filter((name) => /^ld-musl-.*\.path$/.test(name));
  const musl = await Promise.all(files.map((name) => readFile(path.join('/etc', name), 'utf8')));
  return [
    ...multiarch,
    ...common,
    ...musl.flatMap((text) => text.split(/[:\n]/).filter((folder) => path.isAbsolute(folder))),
  ];
}
