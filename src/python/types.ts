/** A Python found on this machine. */
export interface Interpreter {
  /** Absolute path of the executable. */
  path: string;
  /** For example `3.11.7`. */
  version: string;
  /** `cpython`, `pypy`… */
  implementation: string;
  /** For example `cp311`. */
  abi: string;
  /** For example `linux_x86_64`. */
  platform: string;
  /** Every wheel tag it accepts (PEP 425, 600), for example `cp311-cp311-manylinux_2_17_x86_64`. */
  tags: ReadonlySet<string>;
}

/** A virtual environment on disk. */
export interface Venv {
  dir: string;
  /** Absolute path of its interpreter: `bin/python`, on Windows `Scripts\python.exe`. */
  python: string;
  /** Absolute path of its site-packages (purelib). */
  sitePackages: string;
  interpreter: Interpreter;
}

/** What {@link VenvManager.install} did. */
export interface InstallReport {
  installer: 'pip' | 'link';
  installed: { name: string; version: string; file?: string }[];
  durationMs: number;
}
