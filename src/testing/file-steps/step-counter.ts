import fs from 'node:fs';
import path from 'node:path';
import type { FileStep, FileStepPlan } from './types.js';

/** Steps that put bytes or names on a disk, of which a full disk has no room for. */
const GROWING = new Set([
  'write',
  'writev',
  'writeFile',
  'appendFile',
  'copyFile',
  'mkdir',
  'symlink',
  'link',
]);
const TWO_PATHS = new Set(['rename', 'copyFile', 'link', 'symlink']);
const { O_WRONLY, O_RDWR, O_CREAT } = fs.constants;
// Taken before anything is replaced.
const { openSync, writeSync, closeSync } = fs;

/** Counts steps and carries out the plan. */
export class StepCounter {
  readonly steps: FileStep[] = [];
  readonly #inside: string;
  readonly #plan: FileStepPlan;
  /** Number of the first step that the plan is about, once it is known. */
  #first: number | undefined;

  constructor(root: string, plan: FileStepPlan) {
    this.#inside = path.resolve(root) + path.sep;
    this.#plan = plan;
  }

  /** Whether an argument is a path at or below the root. */
  isInside(value: unknown): boolean {
    return typeof value === 'string' && (path.resolve(value) + path.sep).startsWith(this.#inside);
  }

  /** Counts one step. `half` does half of it. What this returns the step is to fail with. */
  take(call: string, args: readonly unknown[], half: () => void): Error | undefined {
    const [file] = args.filter((argument) => this.isInside(argument));
    this.steps.push({ call, path: file as string | undefined });
    const plan = this.#plan;
    if (plan.mode === 'count' || !this.#isHit(plan, call, args)) return undefined;
    if (plan.mode === 'stop') process.kill(process.pid, 'SIGSTOP');
    if (plan.mode === 'kill') killThisProcess(half);
    if (plan.mode !== 'fail') return undefined;
    if (plan.code === 'ENOSPC' && GROWING.has(call)) half();
    const where = file === undefined ? '' : ` '${file as string}'`;
    const message = `${plan.code}: injected at step ${this.steps.length}, ${call}${where}`;
    return Object.assign(new Error(message), { code: plan.code, syscall: call });
  }

  #isHit(plan: Exclude<FileStepPlan, { mode: 'count' }>, call: string, args: readonly unknown[]): boolean {
    const { at } = plan;
    if (typeof at === 'number') this.#first = at;
    else if (call === at.call && targetOf(call, args).endsWith(withSlashes(at.target)))
      this.#first ??= this.steps.length;
    if (this.#first === undefined) return false;
    const times = plan.mode === 'fail' ? (plan.times ?? 1) : 1;
    return this.steps.length >= this.#first && this.steps.length < this.#first + times;
  }
}

/** The path a call makes or changes: the second, where it has two. */
export function targetOf(call: string, args: readonly unknown[], separator?: string): string {
  return withSlashes(String(args[TWO_PATHS.has(call) ? 1 : 0]), separator);
}

/** As a plan may name its end on each system. */
function withSlashes(file: string, separator: string = path.sep): string {
  return file.replaceAll(separator, '/');
}

function killThisProcess(half: () => void): void {
  half();
  process.kill(process.pid, 'SIGKILL');
  // The signal ends the process before another instruction of it runs, but not what its threads are in.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** Whether a file that is opened with these flags may be changed. */
export function isForWriting(flags: unknown): boolean {
  if (typeof flags === 'number') return (flags & (O_WRONLY | O_RDWR | O_CREAT)) !== 0;
  return typeof flags === 'string' && flags !== 'r';
}

/** Writes the first half of the data to the end of a file. */
export function halfToPath(file: string, data: unknown): void {
  const descriptor = openSync(file, 'a');
  halfToFile(descriptor, data);
  closeSync(descriptor);
}

/** Writes the first half of the data to an open file. */
export function halfToFile(descriptor: number, data: unknown): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : ArrayBuffer.isView(data) ? data : undefined;
  if (bytes) writeSync(descriptor, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1));
}
