import type { OperationOptions } from '../abort.js';
import type { Check, PackageInspection } from '../package/types.js';
import type { Venv } from '../python/types.js';

/** A package that passed its inspection and stays open. */
export interface OpenPackage extends AsyncDisposable {
  /** Of the zip. */
  path: string;
  inspection: PackageInspection;
  /** Unpacks into an absent folder: the algorithm root's content with `wheels/` beside it. */
  unpack(
    target: string,
    o: OperationOptions & { onProgress: (doneBytes: number, totalBytes: number) => void },
  ): Promise<void>;
}

/** What an install takes from the rooms below, one step each. */
export interface PackageSteps {
  open(zip: string, o: OperationOptions): Promise<OpenPackage>;
  /** Makes `<root>/venv` and installs into it, such that it is right once `root` has become `finalRoot`. */
  environment(
    root: string,
    inspection: PackageInspection,
    o: OperationOptions & { finalRoot: string; onProgress: (part: number) => void },
  ): Promise<Venv>;
  /** Runs the algorithm once. */
  smoke(
    root: string,
    venv: Venv,
    inspection: PackageInspection,
    o: OperationOptions & { finalRoot: string; onCheck: (check: Check) => void },
  ): Promise<void>;
}
