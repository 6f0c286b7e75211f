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
