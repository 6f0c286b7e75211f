import type { OperationOptions } from '../abort.js';
import { abortSignal, choice, Door, duration, option, text, lazily, type Option } from '../options.js';

/** Options of {@link VenvManager}. */
export interface VenvManagerOptions {
  /**
   * Interpreters to use: paths, folders of installations or command names, best first. Nothing else is looked at then.
   * @defaultValue those found on `PATH`, of pyenv, and by the `py` launcher on Windows
   */
  python?: string | string[];
  /**
   * `link` shares unpacked wheels between environments where the file system lets it; `pip` gives each its own copy.
   * @defaultValue 'pip'
   */
  installer?: 'pip' | 'link';
  /**
   * Folder of unpacked wheels that environments share; `false` for none: each environment then has its own.
   * @defaultValue that of the store it first deploys into, `<root>/algorithms/.wheels`; none without a `Deployer`
   */
  wheelStore?: string | false;
  /**
   * Names of further files, such as `*.bin`, that each environment gets a copy or a clone of, never a second name of one
   * file: some readers of models refuse a file with two names. `*` and `?` stand for any characters, upper and lower case are
   * the same. `*.onnx`, `*.onnx.data`, `*.onnx_data` and `*.data` beside them are always copied. The policy of a version
   * (`ownFiles`) adds to them.
   * @defaultValue none
   */
  ownFiles?: readonly string[];
  /** Longest time for one creation or installation, in milliseconds. @defaultValue 600_000 */
  timeoutMs?: number;
  /**
   * Folder with the files that ship beside the modules of this library: a copy of its `dist`. For a bundle, which does not know
   * where they are; the same in every part of a process.
   * @defaultValue the variable `PROCVISION_ASSETS`, else the folder of the module
   */
  assets?: string;
}

/** What each call of a `VenvManager` takes. */
export const doors = /* @__PURE__ */ lazily(() => ({
  venvManager: new Door<VenvManagerOptions>('new VenvManager(options)', {
    python: option('python', 'must be a path or a list of paths', isPaths),
    installer: choice('pip', 'link'),
    wheelStore: option('folder', 'must be a folder or false', (value) => value === false || isPath(value)),
    ownFiles: ownFiles(),
    timeoutMs: duration(1),
    assets: text(),
  }),
  look: new Door<OperationOptions>('venvs: the last argument', { signal: abortSignal() }),
}));

/** A list of names of files, with `*` and `?`. */
export function ownFiles(): Option<readonly string[] | undefined> {
  return option('ownFiles', 'must be a list of names of files, without folders', isOwnFiles, {
    type: 'array',
    items: { type: 'string', pattern: '^[^/\\\\]+$' },
  });
}

/** Whether something is such a list. */
export function isOwnFiles(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => isPath(name) && !/[\\/]/.test(String(name)));
}

function isPath(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isPaths(value: unknown): boolean {
  return isPath(value) || (Array.isArray(value) && value.every(isPath));
}
