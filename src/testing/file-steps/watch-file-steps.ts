import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { halfToFile, halfToPath, isForWriting, StepCounter } from './step-counter.js';
import type { FileStepPlan, FileSteps } from './types.js';

type AnyFunction = (...args: unknown[]) => unknown;
type Table = Record<string, AnyFunction>;
type Done = (error: Error | null, descriptor?: number) => void;

/** Calls that change the folder tree: the first argument is a path, for some the second too. */
const PATH_CALLS = [
  ...['mkdir', 'mkdtemp', 'rmdir', 'rm', 'unlink', 'rename', 'symlink', 'link', 'copyFile'],
  ...['chmod', 'lchown', 'chown', 'utimes', 'truncate', 'writeFile', 'appendFile'],
];
const HANDLE_CALLS = ['write', 'writev', 'writeFile', 'appendFile', 'sync', 'datasync', 'chmod', 'truncate'];
/** Calls of the callback and the synchronous kind: what streams and packages use. */
const OLD_CALLS = [...PATH_CALLS, 'open', 'write', 'fsync'];

/**
 * Counts every file-system call of this process that changes something below a folder, and makes one of them fail, or
 * ends the process at it. The code under test needs no seam for it: the functions of `node:fs` and of file handles are
 * replaced until the watch is disposed of. Watches end in the reverse order of their beginnings.
 *
 * To try an operation at every point it can fail at: count its steps first, then run it once for each of them.
 *
 * @example
 * ```ts
 * async function steps(plan: FileStepPlan, work: () => Promise<unknown>) {
 *   using watch = watchFileSteps(store.root, plan);
 *   const error = await work().catch((reason: unknown) => reason);
 *   return { count: watch.count, error };
 * }
 * const activate = () => store.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
 * const { count } = await steps({ mode: 'count' }, activate);
 * for (let at = 1; at <= count; at++) {
 *   await store.registry.deactivate({ productIds: ['A01'] }).catch(() => undefined);
 *   const { error } = await steps({ mode: 'fail', at, code: 'EIO' }, activate);
 *   // Whatever failed: the id is active, or an error has said that it is not.
 *   assert.equal('A01' in (await store.registry.active()), error === undefined);
 * }
 * ```
 */
export function watchFileSteps(root: string, plan: FileStepPlan = { mode: 'count' }): FileSteps {
  const counter = new StepCounter(root, plan);
  const patches = new Patches();
  let isWatching = true;
  const take: StepCounter['take'] = (...step) => (isWatching ? counter.take(...step) : undefined);
  const isCalledInside = (args: readonly unknown[]) =>
    args.slice(0, 2).some((value) => counter.isInside(value));

  for (const name of PATH_CALLS) {
    patches.replace(fs.promises, name, (original) => (...args) => {
      const half = () => {
        if (name === 'writeFile' && counter.isInside(args[0])) halfToPath(args[0] as string, args[1]);
      };
      const failure = isCalledInside(args) ? take(name, args, half) : undefined;
      return failure ? Promise.reject(failure) : original.apply(fs.promises, args);
    });
  }
  patches.replace(fs.promises, 'open', (original) => async (...args) => {
    const isInside = counter.isInside(args[0]);
    const failure = isInside && isForWriting(args[1]) ? take('open', args, () => undefined) : undefined;
    if (failure) throw failure;
    const handle = (await original.apply(fs.promises, args)) as Table & { fd: number };
    if (isInside) watchHandle(handle, take);
    return handle;
  });

  const openFiles = new Set<unknown>();
  for (const name of OLD_CALLS) {
    const isOfFile = name === 'write' || name === 'fsync';
    const check = (args: readonly unknown[]) => {
      const isCounted = isOfFile
        ? openFiles.has(args[0])
        : isCalledInside(args) && (name !== 'open' || isForWriting(args[1]));
      const half = () => {
        if (name === 'write') halfToFile(args[0] as number, args[1]);
      };
      return isCounted ? take(name, args, half) : undefined;
    };
    patches.replace(fs, name, (original) => (...args) => {
      const done = args.at(-1) as Done;
      const failure = check(args);
      if (failure) {
        process.nextTick(done, failure);
        return undefined;
      }
      if (name !== 'open') return original.apply(fs, args);
      const opened: Done = (error, descriptor) => {
        if (descriptor !== undefined && counter.isInside(args[0])) openFiles.add(descriptor);
        done(error, descriptor);
      };
      return original.apply(fs, [...args.slice(0, -1), opened]);
    });
    patches.replace(fs, `${name}Sync`, (original) => (...args) => {
      const failure = check(args);
      if (failure) throw failure;
      const result = original.apply(fs, args);
      if (name === 'open' && counter.isInside(args[0])) openFiles.add(result);
      return result;
    });
  }
  for (const name of ['close', 'closeSync']) {
    // The number is given to another file next.
    patches.replace(fs, name, (original) => (...args) => {
      openFiles.delete(args[0]);
      return original.apply(fs, args);
    });
  }
  syncBuiltinESMExports();
  return {
    get count() {
      return counter.steps.length;
    },
    steps: counter.steps,
    [Symbol.dispose]: () => {
      isWatching = false; // for the handles that are still open
      patches.undo();
      syncBuiltinESMExports();
    },
  };
}

function watchHandle(handle: Table & { fd: number }, take: StepCounter['take']): void {
  for (const name of HANDLE_CALLS) {
    const original = handle[name];
    if (!original) continue;
    Object.defineProperty(handle, name, {
      value: (...args: unknown[]) => {
        const failure = take(name, args, () => {
          if (name === 'write' || name === 'writeFile') halfToFile(handle.fd, args[0]);
        });
        return failure ? Promise.reject(failure) : original.apply(handle, args);
      },
    });
  }
}

/** Functions that were replaced, and what stood there. */
class Patches {
  readonly #undo: (() => void)[] = [];

  /** Does nothing where there is no function of that name. */
  replace(target: object, name: string, make: (original: AnyFunction) => AnyFunction): void {
    const table = target as Table;
    const original = table[name];
    if (!original) return;
    table[name] = make(original);
    this.#undo.push(() => (table[name] = original));
  }

  undo(): void {
    for (const undo of this.#undo.reverse()) undo();
  }
}
