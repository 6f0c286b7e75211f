import path from 'node:path';
import { RunnerError } from '../errors.js';
import { showAs } from '../readable.js';
import { encodeFileName, isSafeFolderName } from './file-names.js';
import { plainPath } from './plain-path.js';

/**
 * Where everything of a store lies. The layout is the one of the deployment specification; folders that are
 * ours alone start with a dot. No method touches the disk.
 */
export class StoreLayout {
  /** Absolute path of the store. */
  readonly root: string;

  constructor(root: string) {
    // Behind the prefix `\\?\` Windows takes no `/`, which libraries of Python write.
    this.root = plainPath(path.resolve(root));
    showAs(this, 'StoreLayout', () => {
      const { zips, deployedRoot, activeRoot, registry, guides, logs, staging, wheelStore } = this;
      return { root: this.root, zips, deployedRoot, activeRoot, registry, guides, logs, staging, wheelStore };
    });
  }

  /** `<root>/algorithms`. */
  get algorithms(): string {
    return path.join(this.root, 'algorithms');
  }

  /** Packages as delivered: `<root>/algorithms/zips`. */
  get zips(): string {
    return path.join(this.algorithms, 'zips');
  }

  /** All deployed versions: `<root>/algorithms/deployed`. */
  get deployedRoot(): string {
    return path.join(this.algorithms, 'deployed');
  }

  /**
   * Folder of one version, which is also its algorithm root.
   * @throws RunnerError `invalid_params` when name or version cannot be a folder name.
   */
  deployed(name: string, version: string): string {
    return path.join(this.deployedRoot, folderName('name', name), folderName('version', version));
  }

  /** Virtual environment of one version. */
  venv(name: string, version: string): string {
    return path.join(this.deployed(name, version), 'venv');
  }

  /** Wheels of one version. */
  wheels(name: string, version: string): string {
    return path.join(this.deployed(name, version), 'wheels');
  }

  /** `<root>/active`. */
  get activeRoot(): string {
    return path.join(this.root, 'active');
  }

  /** The mapping of one product id: `<root>/active/<pid>.json`. A product id that is hostile as a file name is percent-encoded. */
  active(productId: string): string {
    return path.join(this.activeRoot, `${encodeFileName(productId)}.json`);
  }

  /** `<root>/registry.json`, the commit point of the store. */
  get registry(): string {
    return path.join(this.root, 'registry.json');
  }

  /** Guide pictures by product id and step: `<root>/guides`. */
  get guides(): string {
    return path.join(this.root, 'guides');
  }

  /** `<root>/logs`. */
  get logs(): string {
    return path.join(this.root, 'logs');
  }

  /** What workers log: `<root>/logs/workers`, by name and version. */
  get workerLogs(): string {
    return path.join(this.logs, 'workers');
  }

  /** Whole-store lock: `<root>/algorithms/.lock`. */
  get lock(): string {
    return path.join(this.algorithms, '.lock');
  }

  /** Lock of one version: `<root>/algorithms/deployed/<name>/<version>.lock`. */
  versionLock(name: string, version: string): string {
    return `${this.deployed(name, version)}.lock`;
  }

  /** Work in progress, on the file system of `deployed`: `<root>/algorithms/.staging`. */
  get staging(): string {
    return path.join(this.algorithms, '.staging');
  }

  /** Given up when a disk is so full that nothing could be taken off it: `<root>/algorithms/.reserve`. */
  get reserve(): string {
    return path.join(this.algorithms, '.reserve');
  }

  /** Whether workers of a version may be forked: `<root>/algorithms/.warm-starts/<name>/<version>.json`. */
  warmStart(name: string, version: string): string {
    const folder = path.join(this.algorithms, '.warm-starts', folderName('name', name));
    return path.join(folder, `${folderName('version', version)}.json`);
  }

  /** Pictures for workers, where the system has no folder in memory: `<root>/algorithms/.frames`. */
  get frames(): string {
    return path.join(this.algorithms, '.frames');
  }

  /** Packages by their content, and what was fetched of them: `<root>/algorithms/.content`. */
  get content(): string {
    return path.join(this.algorithms, '.content');
  }

  /** Unpacked wheels shared by all environments: `<root>/algorithms/.wheels`. */
  get wheelStore(): string {
    return path.join(this.algorithms, '.wheels');
  }
}

function folderName(what: 'name' | 'version', value: string): string {
  if (isSafeFolderName(value)) return value;
  throw new RunnerError(
    'invalid_params',
    `The package ${what} ${JSON.stringify(value)} cannot be a folder name: it must have 1 to 128 characters, ` +
      'no separators, no reserved names, no control characters and no dot or space at its end',
    { details: { path: what } },
  );
}
