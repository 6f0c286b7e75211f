import { stat } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../abort.js';
import { SafeEmitter } from '../emitter.js';
import { RunnerError } from '../errors.js';
import { showAs } from '../readable.js';
import { openArchive } from '../package/archive.js';
import { resolveLimits } from '../package/archive/limits.js';
import type { Archive } from '../package/archive-types.js';
import { checkPolicy, type IntegrityPolicy } from '../package/integrity.js';
import type { ArchiveLimits, Check, PackageInspection, ValidationReport } from '../package/types.js';
import type { Venv } from '../python/types.js';
import { VenvManager } from '../python/venv-manager.js';
import { CheckList } from './check-list.js';
import { CHECK_ORDER, PHASED_CHECKS, SMOKE_CHECKS, type CheckName } from './check-names.js';
import { inspectSource, type Inspected } from './inspect.js';
import { interpreterNeed } from './interpreter-need.js';
import { folderSource } from './folder-source.js';
import { IntegrityCheck } from './integrity-check.js';
import { archiveSource, type PackageSource } from './package-source.js';
import { runProbe, type ProbeFindings, type ProbeTarget } from './probe.js';
import { makeReport } from './report.js';
import { inTemporaryFolder } from './temporary-folder.js';

/** Options of a {@link PackageValidator}. */
export interface PackageValidatorOptions {
  /** Interpreters and environments. @defaultValue a {@link VenvManager} of its own, made when first needed */
  venvs?: VenvManager;
  /** Bounds on what an archive may contain. */
  limits?: Partial<ArchiveLimits>;
  /** Whether `validate` runs the algorithm once. @defaultValue true */
  smoke?: boolean;
  /**
   * Limit of each step of the trial run: importing and constructing, and every call.
   * @defaultValue 120_000 for importing and constructing, which may load a model, 30_000 for a call
   */
  timeoutMs?: number;
  /** Signature and wheel hashes. @defaultValue `{ mode: 'off' }` */
  integrity?: IntegrityPolicy;
}

/** Events of a {@link PackageValidator}. */
export interface PackageValidatorEvents {
  /** A check was made. */
  check: [check: Check];
  /** A validation is through. */
  report: [report: ValidationReport];
}

/** A package that passed its inspection and is still open. */
export interface OpenedPackage extends AsyncDisposable, Inspected {
  /** Open until this is disposed of. */
  archive: Archive;
  /** What the package is. */
  inspection: PackageInspection;
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
  readonly #limits: Partial<ArchiveLimits> | undefined;
  readonly #timeouts: { stepTimeoutMs: number; loadTimeoutMs: number };
  readonly #integrity: IntegrityPolicy;
  #venvs: VenvManager | undefined;

  /** @throws RunnerError `invalid_params` for a key that is no Ed25519 public key, or a limit that is none */
  constructor(options: PackageValidatorOptions = {}) {
    super();
    resolveLimits(options.limits);
    this.#venvs = options.venvs;
    this.#limits = options.limits;
    this.runsSmoke = options.smoke ?? true;
    this.#timeouts = {
      stepTimeoutMs: options.timeoutMs ?? DEFAULT_STEP_TIMEOUT_MS,
      loadTimeoutMs: options.timeoutMs ?? DEFAULT_LOAD_TIMEOUT_MS,
    };
    this.#integrity = checkPolicy(options.integrity ?? { mode: 'off' });
    showAs(this, 'PackageValidator', () => {
      const { mode: integrity } = this.#integrity;
      return { smoke: this.runsSmoke, ...this.#timeouts, integrity, limits: this.#limits };
    });
  }

  /**
   * What a package is, from its central directory and its small text entries alone: nothing is written, nothing of
   * the package runs. Interpreters of this machine are asked what wheels they take, once.
   *
   * @throws RunnerError at the first fault: `invalid_zip` (2001), `manifest_missing` (2002), `incompatible_python`
   * (2003), `wheels_missing` (2004), `install_failed` for a requirement that reaches outside; `aborted`
   */
  async inspect(zip: string, o: OperationOptions = {}): Promise<PackageInspection> {
    await using opened = await this.open(zip, o);
    return opened.inspection;
  }

  /** {@link PackageValidator.inspect} that leaves the archive open, to be unpacked. Throws the same. */
  async open(zip: string, o: OperationOptions = {}): Promise<OpenedPackage> {
    const archive = await this.#openArchive(zip, o.signal);
    try {
      const checks = this.#checkList();
      const integrity = await this.#checkSignature(archive, checks, o.signal);
      // A package from nobody known is not looked into.
      throwFirst(checks);
      const inspected = await this.#inspect(archiveSource(archive), checks, o.signal, integrity);
      const { inspection } = inspected;
      throwFirst(checks);
      if (!inspection) throw new RunnerError('manifest_missing', `${zip} has no manifest`);
      return { ...inspected, archive, inspection, [Symbol.asyncDispose]: () => archive.close() };
    } catch (error) {
      await archive.close();
      throw error;
    }
  }

  /**
   * Checks a zip or an unpacked project folder, carries on past faults that do not block the next check, and, when
   * nothing stands against it, installs it in a temporary folder and runs it once. A deployed version is run in its
   * own environment.
   *
   * @returns the report of everything found; `error` is what an install would reject with
   * @throws RunnerError `aborted` alone: every fault of the package is in the report
   */
  async validate(target: string, o: OperationOptions = {}): Promise<ValidationReport> {
    throwIfAborted(o.signal, `validation of ${target}`);
    const checks = this.#checkList();
    const inspected: Partial<Inspected> = {};
    let report: ValidationReport;
    try {
      const isFolder = (await stat(target).catch(() => undefined))?.isDirectory() ?? false;
      report = isFolder
        ? await this.#validateFolder(target, checks, inspected, o)
        : await this.#validateZip(target, checks, inspected, o);
    } catch (error) {
      const fault = asFault(target, error);
      // A fault that leaves nothing more to look at.
      checks.fail(nextCheck(checks, fault), fault);
      report = this.#finish(checks, inspected, undefined);
    }
    this.emit('report', report);
    return report;
  }

  /** Runs the algorithm of an installed package once. Emits each check. */
  async smoke(target: ProbeTarget, o: OperationOptions = {}): Promise<ProbeFindings> {
    const findings = await runProbe(target, 'smoke', { signal: o.signal, ...this.#timeouts });
    for (const check of findings.checks) this.emit('check', check);
    return findings;
  }

  /** @param found - takes what the inspection found, for the report of a fault that comes after it */
  async #validateZip(
    zip: string,
    checks: CheckList,
    found: Partial<Inspected>,
    o: OperationOptions,
  ): Promise<ValidationReport> {
    await using archive = await this.#openArchive(zip, o.signal);
    checks.pass('zip_open', `${archive.entries.length} entries`);
    const integrity = await this.#checkSignature(archive, checks, o.signal);
    const inspected = await this.#inspect(archiveSource(archive), checks, o.signal, integrity);
    Object.assign(found, inspected);
    const { inspection, layout } = inspected;
    if (!inspection || checks.failures.length > 0 || !this.runsSmoke)
      return this.#finish(checks, inspected, undefined);
    return await inTemporaryFolder('procvision-validate-', async (folder) => {
      const root = path.join(folder, 'package');
      await archive.extract(root, { place: (entry) => layout.place(entry), signal: o.signal });
      const places = { root, wheels: path.join(root, 'wheels'), venv: path.join(root, 'venv') };
      const venv = await this.#install(places, inspection, o);
      checks.pass('environment', `Python ${venv.interpreter.version}`);
      return this.#finish(checks, inspected, await this.#tryOut(root, venv.python, inspection, checks, o));
    });
  }

  async #validateFolder(
    folder: string,
    checks: CheckList,
    found: Partial<Inspected>,
    o: OperationOptions,
  ): Promise<ValidationReport> {
    checks.skip('zip_open', 'this is a folder');
    checks.skip('integrity', 'a folder has no signature');
    const inspected = await this.#inspect(await folderSource(folder, o), checks, o.signal);
    Object.assign(found, inspected);
    const { inspection, layout } = inspected;
    if (!inspection || checks.failures.length > 0 || !this.runsSmoke)
      return this.#finish(checks, inspected, undefined);
    const root = path.join(folder, layout.root);
    const own = await pythonOf(path.join(root, 'venv'));
    if (own !== undefined) {
      checks.pass('environment', own);
      return this.#finish(checks, inspected, await this.#tryOut(root, own, inspection, checks, o));
    }
    return inTemporaryFolder('procvision-validate-', async (temporary) => {
      const places = {
        root,
        wheels: path.join(folder, layout.wheelsRoot),
        venv: path.join(temporary, 'venv'),
      };
      const venv = await this.#install(places, inspection, o);
      checks.pass('environment', `Python ${venv.interpreter.version}`);
      return this.#finish(checks, inspected, await this.#tryOut(root, venv.python, inspection, checks, o));
    });
  }

  async #inspect(
    source: PackageSource,
    checks: CheckList,
    signal: AbortSignal | undefined,
    integrity?: IntegrityCheck,
  ): Promise<Inspected> {
    const inspected = await inspectSource(source, {
      checks,
      signal,
      interpreters: () => this.#manager().interpretersInTurn({ signal }),
      placesLookedAt: () => this.#manager().placesLookedAt(),
    });
    await integrity?.wheels(inspected);
    return inspected;
  }

  async #checkSignature(
    archive: Archive,
    checks: CheckList,
    signal: AbortSignal | undefined,
  ): Promise<IntegrityCheck> {
    const integrity = new IntegrityCheck(archive, this.#integrity, { checks, signal });
    await integrity.signature();
    return integrity;
  }

  async #install(
    places: { root: string; wheels: string; venv: string },
    inspection: PackageInspection,
    { signal }: OperationOptions,
  ): Promise<Venv> {
    const venvs = this.#manager();
    const interpreter = await venvs.select(interpreterNeed(places.root, inspection), { signal });
    const venv = await venvs.create(places.venv, { interpreter, signal });
    const requirements = path.join(places.root, 'requirements.txt');
    await venvs.install(venv, { wheels: places.wheels, requirements, signal });
    return venv;
  }

  async #tryOut(
    root: string,
    python: string,
    { manifest, generation }: PackageInspection,
    checks: CheckList,
    { signal }: OperationOptions,
  ): Promise<ProbeFindings> {
    const target = { root, python, manifest, generation };
    const findings = await runProbe(target, 'smoke', { signal, ...this.#timeouts });
    for (const check of findings.checks) checks.add(check);
    return findings;
  }

  /** Every check that was not made is in the report as skipped, with the reason. */
  #finish(
    checks: CheckList,
    { inspection, warnings }: Partial<Inspected>,
    findings: ProbeFindings | undefined,
  ): ValidationReport {
    const isSmokeCheck = (name: CheckName) => SMOKE_CHECKS.includes(name);
    for (const name of CHECK_ORDER) {
      if (checks.has(name)) continue;
      if (inspection?.generation === 'execute-only' && PHASED_CHECKS.has(name)) {
        checks.skip(name, 'the execute-only generation has no such thing');
      } else if (findings && isSmokeCheck(name)) checks.skip(name, 'the trial call gave nothing to check');
      else if (!this.runsSmoke && isSmokeCheck(name)) checks.skip(name, 'the trial run is switched off');
      else checks.skip(name, 'a fault before it stands in the way');
    }
    const error = checks.failures[0] ?? findings?.error;
    return makeReport(checks.checks, {
      ...(error && { error }),
      ...(inspection && { manifest: inspection.manifest }),
      ...(findings?.info && { info: findings.info }),
      ...(warnings && warnings.length > 0 && { warnings }),
    });
  }

  async #openArchive(zip: string, signal: AbortSignal | undefined): Promise<Archive> {
    return openArchive(zip, { limits: this.#limits, signal });
  }

  #manager(): VenvManager {
    return (this.#venvs ??= new VenvManager());
  }

  #checkList(): CheckList {
    return new CheckList((check) => this.emit('check', check));
  }
}

function throwFirst({ failures: [failure] }: CheckList): void {
  if (failure) throw failure as Error;
}

/** What stopped a validation, as a fault of its target; what is none goes on up. */
function asFault(target: string, error: unknown): RunnerError {
  if (RunnerError.is(error) && error.code !== 'aborted') return error;
  if (RunnerError.is(error) || !(error instanceof Error && 'syscall' in error)) throw error;
  return new RunnerError('invalid_zip', `${target} cannot be read: ${error.message}`, {
    cause: error,
    details: { path: target },
  });
}

/** The check that a fault was met in. */
function nextCheck(checks: CheckList, fault: RunnerError): CheckName {
  if (fault.code === 'invalid_zip') {
    const early = (['zip_open', 'zip_layout'] as const).find((name) => !checks.has(name));
    // Later it is content that turns out damaged while it is unpacked for the trial run.
    if (early) return early;
  }
  return checks.has('environment') ? 'smoke_execute' : 'environment';
}

/** The interpreter of an environment, if there is one. */
async function pythonOf(
  venv: string,
  platform: NodeJS.Platform = process.platform,
): Promise<string | undefined> {
  const file =
    platform === 'win32' ? path.join(venv, 'Scripts', 'python.exe') : path.join(venv, 'bin', 'python');
  return (await stat(file).catch(() => undefined)) ? file : undefined;
}
