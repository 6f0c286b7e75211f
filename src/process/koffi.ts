import { loadPeer } from '../assets.js';

/** The part of koffi that is used here. It is an optional peer dependency: without it the system is asked in other ways, or not. */
export interface Koffi {
  load(library: string): NativeLibrary;
  view(pointer: unknown, length: number): ArrayBuffer;
  address(pointer: unknown): bigint;
  errno(): number;
}

/** A library of the system. */
interface NativeLibrary {
  func(signature: string): NativeFunction;
}

/** A function of a library of the system. `async` runs it on a thread of the pool. */
export interface NativeFunction {
  (...args: unknown[]): unknown;
  async: (...args: unknown[]) => void;
}

/** Koffi in what its package gives: the module itself, or a namespace around it. */
export function koffiIn(module: unknown): Koffi {
  return ((module as { default?: unknown }).default ?? module) as Koffi;
}

/** Where pointers have 64 bits: the layouts of structures that are written down here are theirs. */
const ARCHITECTURES: ReadonlySet<string> = new Set(['x64', 'arm64']);

/** What `bind` makes of koffi; undefined on other systems than Windows, and where koffi is not installed. */
export function boundOnWindows<T>(
  bind: (koffi: Koffi) => T,
  platform: NodeJS.Platform,
  load: () => unknown = () => loadPeer('koffi'),
): T | undefined {
  if (platform !== 'win32' || !ARCHITECTURES.has(process.arch)) return undefined;
  try {
    return bind(koffiIn(load()));
  } catch {
    return undefined; // not installed, or not for this system
  }
}
