/** What `probe.py` tells of an interpreter, in the names it uses. */
export interface PythonFacts {
  version: string;
  executable: string;
  /** The interpreter itself, where `executable` is that of a virtual environment. */
  base: string;
  prefix: string;
  implementation: string;
  abi: string;
  platform: string;
  tags: string[];
  /** Environment markers of PEP 508. */
  markers: Record<string, string>;
  /** Where an environment keeps what, relative to its folder. */
  schemes: Record<'purelib' | 'platlib' | 'scripts' | 'data' | 'headers', string>;
  /** Places pip can be run from: a folder on `sys.path`, or a wheel. */
  pips: { location: string; version: string }[];
  has_venv: boolean;
  /** Whether its `zipfile` reads entries compressed by Zstandard (PEP 784). */
  has_zstd: boolean;
}
