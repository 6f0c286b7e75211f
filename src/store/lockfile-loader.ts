import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import type * as Lockfiles from 'lockfile';

type Lockfile = typeof Lockfiles;

interface SignalExit {
  unload(): void;
}

let loaded: Lockfile | undefined;

/**
 * The `lockfile` package, loaded at the first call, without what it does to its host.
 *
 * It loads `signal-exit`, which listens for every deadly signal and replaces `process.emit` and `process.reallyExit`.
 * A host whose own listener is a `once` would then be killed in the middle of its orderly end: when `signal-exit` looks,
 * its own listener is the only one left. What it would do for us, removing lock files at exit, is not needed: the
 * lock of a dead process is taken over. So its listener is taken off in the same turn it was put on; listeners that the
 * host itself has with `signal-exit` stay as they are.
 */
export function loadLockfile(): Lockfile {
  return (loaded ??= loadQuietly());
}

function loadQuietly(): Lockfile {
  const require = createRequire(import.meta.url);
  const before = new Set(exitListeners());
  const emit = Object.getOwnPropertyDescriptor(process, 'emit');
  const reallyExit = Object.getOwnPropertyDescriptor(process, 'reallyExit');
  const lockfile = require('lockfile') as Lockfile;
  for (const listener of exitListeners().filter((listener) => !before.has(listener))) {
    exitEmitter()?.removeListener('exit', listener);
  }
  if (exitListeners().length > 0 || (exitEmitter()?.listenerCount('afterexit') ?? 0) > 0) return lockfile;
  const signalExit = createRequire(require.resolve('lockfile'))('signal-exit') as Partial<SignalExit>;
  signalExit.unload?.();
  restore('emit', emit);
  restore('reallyExit', reallyExit);
  return lockfile;
}

type ExitListener = (...args: unknown[]) => void;

/** Where every copy of `signal-exit` 3 in the process keeps its listeners. */
function exitEmitter(): EventEmitter | undefined {
  return (process as unknown as { __signal_exit_emitter__?: EventEmitter }).__signal_exit_emitter__;
}

function exitListeners(): ExitListener[] {
  return (exitEmitter()?.listeners('exit') ?? []) as ExitListener[];
}

function restore(name: 'emit' | 'reallyExit', before: PropertyDescriptor | undefined): void {
  if (before) Object.defineProperty(process, name, before);
  else Reflect.deleteProperty(process, name);
}
