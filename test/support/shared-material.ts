import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Material that may lie beside a checkout (real wheels, photographs). It is no part of the project: a test that uses
 * it is skipped where it is absent, with `missing` as its reason.
 */
const folder = fileURLToPath(new URL('../../../shared/', import.meta.url));

/** Absolute path of a file of the shared material, or undefined. */
export function sharedFile(relative: string): string | undefined {
  return existsSync(folder + relative) ? folder + relative : undefined;
}

/** A NumPy wheel for CPython 3.11 on Linux x86-64, where there is one. */
export function sharedNumpyWheel(): string | undefined {
  const wheels = sharedFile('wheels');
  const file =
    wheels && readdirSync(wheels).find((name) => /^numpy-.*-cp311-cp311-linux_x86_64\.whl$/.test(name));
  return file && process.platform === 'linux' && process.arch === 'x64'
    ? `${folder}wheels/${file}`
    : undefined;
}
