/**
 * Counts every file-system call that changes something below a root, and can end the process at one of them or make
 * it fail. It works by replacing the functions of `node:fs` and of file handles: the code under test has no seam for it.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';

/** What to do at a step. Steps count from 1. */
export type StepPlan =
  | { mode: 'count' }
  /** SIGKILL at this step; a write gets half of its bytes out first. */
  | { mode: 'kill'; at: number }
  /** SIGKILL at the first such call whose target ends so. */
  | { mode: 'killAt'; call: string; target: string }
  /** SIGSTOP at this step: the process lives, and does nothing until it is continued. */
  | { mode: 'stop'; at: number }
  /** This step fails, once, with this code; a full disk lets half of a write through first. */
  | { mode: 'fail'; at: number; code: 'ENOSPC' | 'EIO' };

type AnyFunction = (...args: unknown[]) => unknown;
type Table = Record<string, AnyFunction>;

/** Calls that change the folder tree: the first argument is a path, for some the second too. */
const PATH_CALLS = [
  ...['mkdir', 'mkdtemp', 'rmdir', 'rm', 'unlink', 'rename', 'symlink', 'link', 'copyFile'],
  ...['chmod', 'lchown', 'chown', 'utimes', 'truncate', 'writeFile', 'appendFile'],
];
const HANDLE_CALLS = ['write', 'writev', 'writeFile', 'appendFile', 'sync', 'datasync', 'chmod', 'truncate'];
const WRITES = new Set([
  'write',
  'writev',
  'writeFile',
  'appendFile',
  'copyFile',
  'mkdir',
  'symlink',
  'link',
]);

/** Starts counting below `root`, and follows the plan. Returns the count so far. */
export function countSteps(root: string, plan: StepPlan): () => number {
  let steps = 0;
  const inside = path.resolve(root) + path.sep;
  const isInside = (value: unknown) =>
    typeof value === 'string' && (path.resolve(value) + path.sep).startsWith(inside);
  const openFiles = new Set<number>();

  /** Counts one step; what it returns is to be thrown. */
  const step = (call: string, args: readonly unknown[], half: () => void): Error | undefined => {
    steps += 1;
    if (plan.mode === 'count') return undefined;
    if (plan.mode === 'killAt') {
      if (call === plan.call && String(args[1] ?? args[0]).endsWith(plan.target)) killNow();
      return undefined;
    }
    if (steps !== plan.at) return undefined;
    if (plan.mode === 'stop') {
      process.kill(process.pid, 'SIGSTOP');
      return undefined;
    }
    if (plan.mode === 'kill') {
      half();
      killNow();
    }
    if (plan.mode === 'fail' && plan.code === 'ENOSPC' && WRITES.has(call)) half();
    const code = plan.mode === 'fail' ? plan.code : 'EIO';
    const where = isInside(args[0]) ? ` '${String(args[0])}'` : '';
    return Object.assign(new Error(`${code}: injected at step ${steps}, ${call}${where}`), {
      code,
      syscall: call,
    });
  };

  const promises = fs.promises as unknown as Table;
  const callbacks = fs as unknown as Table;
  for (const name of PATH_CALLS) {
    const original = promises[name];
    if (!original) continue;
    promises[name] = (...args) => {
      if (args.slice(0, 2).some(isInside)) {
        const failure = step(name, args, () => {
          if (name === 'writeFile' && isInside(args[0])) halfToPath(args[0] as string, args[1]);
        });
        if (failure) return Promise.reject(failure);
      }
      return original.apply(fs.promises, args);
    };
  }
  patchHandles();
  for (const name of [...PATH_CALLS, 'open', 'write', 'fsync']) patchCallback(name);
  syncBuiltinESMExports();
  return () => steps;

  function patchHandles(): void {
    const open = fs.promises.open as AnyFunction;
    const seen = new WeakSet<object>();
    promises.open = async (...args) => {
      if (isInside(args[0]) && isForWriting(args[1])) {
        const failure = step('open', args, () => undefined);
        if (failure) throw failure;
      }
      const handle = (await open.apply(fs.promises, args)) as Table & { fd: number };
      if (isInside(args[0]) && !seen.has(handle)) {
        seen.add(handle);
        for (const name of HANDLE_CALLS) {
          const original = handle[name];
          if (!original) continue;
          Object.defineProperty(handle, name, {
            value: (...inner: unknown[]) => {
              const failure = step(name, inner, () => {
                if (name === 'write' || name === 'writeFile') halfToFile(handle.fd, inner[0]);
              });
              if (failure) return Promise.reject(failure);
              return original.apply(handle, inner);
            },
          });
        }
      }
      return handle;
    };
  }

  /** The callback and the synchronous form: what streams and the packages we use call. */
  function patchCallback(name: string): void {
    const isCounted = (args: readonly unknown[]) =>
      name === 'write' || name === 'fsync'
        ? openFiles.has(args[0] as number)
        : args.slice(0, 2).some(isInside) && (name !== 'open' || isForWriting(args[1]));
    const half = (args: readonly unknown[]) => () => {
      if (name === 'write') halfToFile(args[0] as number, args[1]);
    };
    const original = callbacks[name];
    if (original) {
      callbacks[name] = (...args) => {
        const done = args.at(-1) as (error: Error | null, fd?: number) => void;
        if (isCounted(args)) {
          const failure = step(name, args, half(args));
          if (failure) {
            process.nextTick(done, failure);
            return undefined;
          }
        }
        if (name !== 'open') return original.apply(fs, args);
        const opened = (error: Error | null, fd?: number) => {
          if (fd !== undefined && isInside(args[0])) openFiles.add(fd);
          done(error, fd);
        };
        return original.apply(fs, [...args.slice(0, -1), opened]);
      };
    }
    const sync = callbacks[`${name}Sync`];
    if (!sync) return;
    callbacks[`${name}Sync`] = (...args) => {
      if (isCounted(args)) {
        const failure = step(name, args, half(args));
        if (failure) throw failure;
      }
      return sync.apply(fs, args);
    };
  }
}

function killNow(): void {
  process.kill(process.pid, 'SIGKILL');
  // The signal ends the process before another instruction of it runs, but not what its threads are in.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

const { openSync, writeSync, closeSync } = fs;
const { O_WRONLY, O_RDWR, O_CREAT } = fs.constants;

function isForWriting(flags: unknown): boolean {
  if (typeof flags === 'number') return (flags & (O_WRONLY | O_RDWR | O_CREAT)) !== 0;
  return typeof flags === 'string' && flags !== 'r';
}

function halfToPath(file: string, data: unknown): void {
  const fd = openSync(file, 'a');
  halfToFile(fd, data);
  closeSync(fd);
}

function halfToFile(fd: number, data: unknown): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : ArrayBuffer.isView(data) ? data : undefined;
  if (bytes) writeSync(fd, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1));
}
