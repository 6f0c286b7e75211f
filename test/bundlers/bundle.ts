import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { buildPackage } from '../../src/testing/index.js';

const PROGRAMS = fileURLToPath(new URL('program', import.meta.url));
/** Where the tarball is installed. */
const project = inject('project');

/** What the program prints. */
export interface Answer {
  verdict?: string;
  code?: string;
  message?: string;
}

/** What a bundle must answer: the host's signals are its own in a bundle too. */
export const VERDICT = { verdict: 'OK', proof: 'worker', listeners: 0 };

/** The program in a project that has installed the tarball. */
export async function programIn(name: 'main.mjs' | 'main.cjs'): Promise<string> {
  await copyFile(path.join(PROGRAMS, name), path.join(project, name));
  return path.join(project, name);
}

/** A folder far from any `node_modules`, with a package and a copy of the files that bundlers leave out. */
export async function emptyPlace(folder: string): Promise<{ zip: string; assets: string }> {
  const zip = path.join(folder, 'package.zip');
  const assets = path.join(folder, 'python files');
  await mkdir(folder, { recursive: true });
  await writeFile(zip, await buildPackage({ productIds: ['A01'] }));
  await cp(path.join(project, 'node_modules/procvision-runner/dist'), assets, { recursive: true });
  return { zip, assets };
}

/** Runs a program that was bundled, and gives what it prints. */
export async function answerOf(
  command: readonly string[],
  o: { cwd: string; env?: Record<string, string> },
): Promise<Answer> {
  const [file = '', ...args] = command;
  const env = { ...process.env, NODE_PATH: '', NODE_OPTIONS: '', ...o.env };
  const { stdout } = await promisify(execFile)(file, args, { cwd: o.cwd, env });
  return JSON.parse(stdout) as Answer;
}
