import { throwIfAborted, type OperationOptions } from '../abort.js';
import { checkTexts } from '../arguments.js';
import { SafeEmitter } from '../emitter.js';
import { Late } from '../late.js';
import { showAs } from '../readable.js';
import { checkPolicy, type IntegrityPolicy } from '../package/integrity.js';
import type { Check, PackageInspection, ValidationReport } from '../package/types.js';
import { VenvManager } from '../python/venv-manager.js';
import type { ValidationContext, ValidationEngine } from './engine.js';
import { doors, type PackageValidatorOptions, type ReadOptions } from './options.js';
import type { OpenedPackage } from './inspect.js';
import type { ProbeFindings, ProbeTarget } from './probe.js';

export type { PackageValidatorOptions } from './options.js';

/** Events of a {@link PackageValidator}. */
export interface PackageValidatorEvents {
  /** A check was made. */
  check: [check: Check];
  /** A validation is through. */
  report: [report: ValidationReport];
}

const DEFAULT_STEP_TIMEOUT_MS = 30_000;
const DEFAULT_LOAD_TIMEOUT_MS = 120_000;

/**
 * Tells what a package is and every fault it has. Nothing of a package runs before its archive, its manifest and its
 * wheels have passed; what runs then runs in a process of its own, bounded in time and output and without network.
 */
export class PackageValidator extends SafeEmitter<PackageValidatorEvents> {
  /** Whether the algorithm is run once. */
  readonly runsSmoke: boolean;
  /** What becomes of packages that are not signed, see `integrity` of the options. */
  readonly integrityMode: IntegrityPolicy['mode'];
  readonly #engine: Late<ValidationEngine>;

  /** @throws RunnerError `invalid_params` for a key that is no Ed25519 public key, or a limit that is none */
  constructor(options: PackageValidatorOptions = {}) {
    super();
    doors().validator.check(options);
    this.runsSmoke = options.smoke ?? true;
    const { limits, timeoutMs, env = {}, setupErrors = 'fail' } = options;
    const timeouts = {
      stepTimeoutMs: timeoutMs ?? DEFAULT_STEP_TIMEOUT_MS,
      loadTimeoutMs: options.loadTimeoutMs ?? timeoutMs ?? DEFAULT_LOAD_TIMEOUT_MS,
    };
    const integrity = checkPolicy(options.integrity ?? { mode: 'off' });
    this.integrityMode = integrity.mode;
    let { venvs } = options;
    const context: ValidationContext = {
      venvs: () => (venvs ??= new VenvManager()),
      ...{ limits, runsSmoke: this.runsSmoke, trial: { ...timeouts, env, setupErrors }, integrity },
      startupCode: options.startupCode ?? 'allow',
      onCheck: (check) => this.emit('check', check),
    };
    this.#engine = new Late(async () => {
      const { ValidationEngine } = await import('./engine.js');
      return new ValidationEngine(context);
    });
    showAs(this, 'PackageValidator', () => ({
      ...{ smoke: this.runsSmoke, ...timeouts, integrity: integrity.mode, limits },
    }));
  }

  /**
   * What a package is, from its central directory and its small text entries alone: nothing is written, nothing of
   * the package runs. Interpreters of this machine are asked what wheels they take, once.
   *
   * @throws RunnerError `invalid_params`, at the first fault: `invalid_zip` (2001), `manifest_missing` (2002),
   * `incompatible_python` (2003), `wheels_missing` (2004), `install_failed` for a requirement that reaches outside;
   * `aborted`
   */
  async inspect(zip: string, o: ReadOptions = {}): Promise<PackageInspection> {
    doors().look.check(o);
    const { inspection, archive } = await this.open(zip, o);
    await archive.close();
    return inspection;
  }

  /**
   * {@link PackageValidator.inspect} that leaves the archive open, to be unpacked. Throws the same.
   *
   * @throws RunnerError `invalid_params` for an argument of the wrong type
   */
  async open(zip: string, o: ReadOptions = {}): Promise<OpenedPackage> {
    checkTexts('validator.inspect(zip)', { zip });
    return (await this.#engine.get()).open(zip, o);
  }

  /**
   * Checks a zip or an unpacked project folder, carries on past faults that do not block the next check, and, when
   * nothing stands against it, installs it in a temporary folder and runs it once. A deployed version is run in its
   * own environment.
   *
   * @returns the report of everything found; `error` is what an install would reject with
   * @throws RunnerError `invalid_params`, `aborted` alone: every fault of the package is in the report
   */
  async validate(target: string, o: ReadOptions = {}): Promise<ValidationReport> {
    checkTexts('validator.validate(target)', { target });
    doors().look.check(o);
    throwIfAborted(o.signal, `validation of ${target}`);
    const report = await (await this.#engine.get()).validate(target, o);
    this.emit('report', report);
    return report;
  }

  /**
   * What an unpacked project folder is; a signature, which belongs to a zip, is not looked for. Throws as
   * {@link PackageValidator.inspect}.
   * @internal
   */
  async inspectFolder(folder: string, o: OperationOptions = {}): Promise<PackageInspection> {
    return (await this.#engine.get()).inspectFolder(folder, o);
  }

  /** Runs the algorithm of an installed package once. Emits each check. */
  async smoke(target: ProbeTarget, o: OperationOptions = {}): Promise<ProbeFindings> {
    return (await this.#engine.get()).smoke(target, o);
  }
}
