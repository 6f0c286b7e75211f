/** What the figures were taken on, and with. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Library } from './case.js';
import { pinsOf } from '../support/pins.js';
import { ROOT } from './builds.js';

export function machineFacts(): Record<string, string | number> {
  const cpus = os.cpus();
  return {
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    cpu: cpus[0]?.model ?? 'unknown',
    cores: cpus.length,
    memoryGiB: Math.round((os.totalmem() / 2 ** 30) * 10) / 10,
    load: Math.round((os.loadavg()[0] ?? 0) * 100) / 100,
  };
}

/** Node, its V8 and libuv, the dependencies that the build loads, and each Python that the library finds. */
export async function versions(): Promise<Record<string, string>> {
  const { node, v8, uv } = process.versions;
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(path.join(ROOT, 'package.json'), 'utf8'),
  ) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
  const { koffi = '' } = devDependencies;
  const { VenvManager } = (await import(
    pathToFileURL(path.join(ROOT, 'dist', 'index.js')).href
  )) as Library['main'];
  const pythons = await new VenvManager().interpreters();
  return {
    ...{ node, v8, libuv: uv, ...dependencies, koffi },
    python: pythons.map(({ version }) => version).join(', ') || 'none found',
    packages: (await pinnedPackages()).join(', '),
  };
}

/** What the cases with real packages and the peers install, where they can be had. */
const PACKAGES = {
  vision: ['numpy', 'opencv-python-headless', 'onnxruntime', 'procvision-algorithm-sdk'],
  fastapi: ['fastapi', 'uvicorn'],
  triton: ['nvidia-pytriton'],
  uv: ['uv'],
};

async function pinnedPackages(): Promise<string[]> {
  const found = Object.entries(PACKAGES).map(async ([set, names]) => {
    const pins = await pinsOf(set);
    return pins
      .filter((pin) => names.includes(pin.split('==')[0] ?? ''))
      .map((pin) => pin.replace('==', ' '));
  });
  return (await Promise.all(found)).flat();
}
