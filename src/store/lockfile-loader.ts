import type { EventEmitter } from 'node:events';
import module from 'node:module';
import type * as Lockfiles from 'lockfile';

type Lockfile = Pick<typeof Lockfiles, 'lock' | 'unlock'>;
type Listener = (...args: unknown[]) => void;

/** Where every copy of `signal-exit` 3 in the process keeps its listeners. */
interface SignalExit extends EventEmitter {
  /** Copies that listen for signals. */
  count: number;
  /** Events that have been emitted, each of which is emitted once. */
  emitted: Record<string, boolean>;
}

/** Some of the signals that it listens for, the rarest first. */
const DEADLY: readonly NodeJS.Signals[] = ['SIGXFSZ', 'SIGXCPU', 'SIGVTALRM', 'SIGALRM', 'SIGHUP', 'SIGTERM'];
/** A text in the listener of `lockfile` 1.0.4. */
const LISTENER_MARK = 'exit listener';

let loading: Promise<Lockfile> | undefined;

/**
 * The `lockfile` package, loaded at the first call, without what it does to its host.
 *
 * It loads `signal-exit`, which listens for every deadly signal and replaces `process.emit` and `process.reallyExit`.
 * A host whose own listener is a `once` would then be killed in the middle of its orderly end: when `signal-exit` looks,
 * its own listener is the only one left. What it would do for us, removing lock files at exit, is not needed: the
 * lock of a dead process is taken over. So its listener is taken off before anything else can run; listeners that the
 * host itself has with `signal-exit` stay as they are.
 */
export function loadLockfile(): Promise<Lockfile> {
  return (loading ??= loadQuietly());
}

async function loadQuietly(): Promise<Lockfile> {
  const before = exitListeners();
  const lockfile = requireLockfile();
  const bundled = lockfile ?? (await import('lockfile')).default;
  let listeners = exitListeners().filter((listener) => !before.includes(listener));
  // Some bundlers load it with the bundle, whatever the `import()` says.
  if (!lockfile && listeners.length === 0)
    listeners = before.filter((one) => one.toString().includes(LISTENER_MARK));
  for (const listener of listeners) signalExit()?.removeListener('exit', listener);
  const isOthers = exitListeners().length > 0 || (signalExit()?.listenerCount('afterexit') ?? 0) > 0;
  if (listeners.length > 0 && !isOthers) unloadSignalExit();
  return bundled;
}

/** At once where the package is on disk: an `import()` of CommonJS makes Node compile a scanner first (16 ms). */
function requireLockfile(): Lockfile | undefined {
  try {
    return module.createRequire(import.meta.url)('lockfile') as Lockfile;
  } catch {
    return undefined; // it is part of a bundle, where the `import()` leads to it
  }
}

function unloadSignalExit(): void {
  const unload = requireUnload() ?? unloadByListener;
  unload();
  // It leaves the inherited function as one of the process's own.
  const inherited = Object.getPrototypeOf(process) as NodeJS.Process;
  if (Object.hasOwn(process, 'emit') && process.emit === inherited.emit)
    Reflect.deleteProperty(process, 'emit');
}

/** The way out that `signal-exit` has, where it lies beside `lockfile` on disk. */
function requireUnload(): (() => void) | undefined {
  try {
    const lockfile = module.createRequire(import.meta.url).resolve('lockfile');
    return (module.createRequire(lockfile)('signal-exit') as { unload?: () => void }).unload;
  } catch {
    return undefined;
  }
}

/**
 * The same in a bundle, where nobody but `lockfile` reaches its copy of `signal-exit`: that unloads itself when a signal comes
 * which it alone listens for, and then sends the signal on.
 */
function unloadByListener(): void {
  const emitter = signalExit();
  const signal = DEADLY.find((one) => process.listenerCount(one) === 1);
  const [listener] = signal === undefined ? [] : (process.listeners(signal) as Listener[]);
  if (listener === undefined || emitter?.count !== 1) return;
  const kill = Object.getOwnPropertyDescriptor(process, 'kill');
  const { emitted } = emitter;
  emitter.emitted = {};
  process.kill = () => true;
  try {
    listener(signal);
  } finally {
    if (kill) Object.defineProperty(process, 'kill', kill);
    else Reflect.deleteProperty(process, 'kill');
    emitter.emitted = emitted;
  }
}

function signalExit(): SignalExit | undefined {
  return (process as unknown as { __signal_exit_emitter__?: SignalExit }).__signal_exit_emitter__;
}

function exitListeners(): Listener[] {
  return (signalExit()?.listeners('exit') ?? []) as Listener[];
}
