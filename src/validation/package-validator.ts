import { stat } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../abort.js';
import { checkStrings } from '../arguments.js';
import { useAssets } from '../assets.js';
import { SafeEmitter } from '../emitter.js';
import { RunnerError } from '../errors.js';
import type { Archive } from '../package/archive-types.js';
import { checkPolicy, type IntegrityPolicy } from '../package/integrity.js';
import type { ArchiveLimits, Check, PackageInspection, ValidationReport } from '../package/types.js';
import { placesLookedAt } from '../python/interpreters/discovery.js';
import type { UnusablePython } from '../python/interpreters/facts.js';
import { VenvManager } from '../python/venv-manager.js';
import { showAs } from '../readable.js';
import { caseFault } from './case-findings.js';
import { CHECK_ORDER, CheckList, type CheckName, PHASED_CHECKS, SMOKE_CHECKS } from './check-list.js';
import type { Inspected, OpenedPackage } from './inspect.js';
import { IntegrityCheck } from './integrity-check.js';
import { interpreterNeed } from './interpreter-need.js';
import { doors, type PackageValidatorOptions, type ReadOptions } from './options.js';
import type { PackageSource } from './package-source.js';
import type { ProbeFindings, ProbeOptions, ProbeTarget } from './probe.js';
import { makeReport } from './report.js';

export type { PackageValidatorOptions } from './options.js';

/** Events of a {@link PackageValidator}. */
export interface PackageValidatorEvents {
  /** A check was made. */
  check: [check: Check];
  /** A validation is through. */
  report: [report: ValidationReport];
}

/** An algorithm root, and the interpreter to run it with. */
type Runnable = Pick<ProbeTarget, 'root' | 'python'>;

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
  readonly #limits: Partial<ArchiveLimits> | undefined;
  /** Limits and surroundings of the trial run. */
  readonly #trial: Required<Omit<ProbeOptions, 'signal'>>;
  /**
   * The policy of signatures, as it was given.
   * @internal
   */
  readonly integrity: IntegrityPolicy;
  readonly #startupCode: 'allow' | 'refuse';
  #venvs: VenvManager | undefined;

  /** @throws RunnerError `invalid_params` for a key that is no Ed25519 public key, or a limit that is none */
  constructor(options: PackageValidatorOptions = {}) {
    super();
    doors().validator.check(options);
    useAssets(options.assets);
    this.runsSmoke = options.smoke ?? true;
    const { limits, timeoutMs, env = {}, setupErrors = 'fail', boundaryCases = 'warn' } = options;
    const timeouts = {
      stepTimeoutMs: timeoutMs ?? DEFAULT_STEP_TIMEOUT_MS,
      loadTimeoutMs: options.loadTimeoutMs ?? timeoutMs ?? DEFAULT_LOAD_TIMEOUT_MS,
    };
    this.#limits = limits;
    this.#trial = { ...timeouts, env, setupErrors, boundaryCases };
    this.integrity = checkPolicy(options.integrity ?? { mode: 'off' });
    this.integrityMode = this.integrity.mode;
    this.#startupCode = options.startupCode ?? 'allow';
    this.#venvs = options.venvs;
    showAs(this, 'PackageValidator', () => ({
      ...{ smoke: this.runsSmoke, ...timeouts, integrity: this.integrityMode, limits },
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
    checkStrings('validator.inspect(zip)', { zip });
    const archive = await this.#openArchive(zip, o);
    try {
      const checks = this.#checkList();
      const integrity = await this.#checkSignature(archive, checks, o.signal);
      // A package from nobody known is not looked into.
      throwFirst(checks);
      const { archiveSource } = await import('./reading.js');
      const inspected = await this.#inspect(archiveSource(archive), checks, o.signal, integrity);
      const { inspection } = inspected;
      throwFirst(checks);
      if (!inspection) throw new RunnerError('manifest_invalid', `${zip} has no usable manifest`);
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
   * @throws RunnerError `invalid_params`, `aborted` alone: every fault of the package is in the report
   */
  async validate(target: string, o: ReadOptions = {}): Promise<ValidationReport> {
    checkStrings('validator.validate(target)', { target });
    doors().look.check(o);
    throwIfAborted(o.signal, `validation of ${target}`);
    const report = await this.#validate(target, o);
    this.emit('report', report);
    return report;
  }

  /**
   * What an unpacked project folder is; a signature, which belongs to a zip, is not looked for. Throws as
   * {@link PackageValidator.inspect}.
   * @internal
   */
  async inspectFolder(folder: string, { signal }: OperationOptions = {}): Promise<PackageInspection> {
    const checks = this.#checkList();
    const { folderSource } = await import('./reading.js');
    const source = await folderSource(folder, { limits: this.#limits, signal });
    const { inspection } = await this.#inspect(source, checks, signal);
    throwFirst(checks);
    if (!inspection) throw new RunnerError('manifest_invalid', `${folder} has no usable manifest`);
    return inspection;
  }

  /** Runs the algorithm of an installed package once. Emits each check. */
  async smoke(target: ProbeTarget, o: OperationOptions = {}): Promise<ProbeFindings> {
    const { runProbe } = await import('./probe.js'); // which an inspection does without
    // What is no fault of a package is not looked for while it is installed.
    const boundaryCases = this.#trial.boundaryCases === 'fail' ? 'fail' : 'off';
    const findings = await runProbe(target, 'smoke', { signal: o.signal, ...this.#trial, boundaryCases });
    for (const check of findings.checks) this.emit('check', check);
    return findings;
  }

  async #validate(target: string, o: ReadOptions): Promise<ValidationReport> {
    const checks = this.#checkList();
    const inspected: Partial<Inspected> = {};
    try {
      const isFolder = (await stat(target).catch(() => undefined))?.isDirectory() ?? false;
      return isFolder
        ? await this.#validateFolder(target, checks, inspected, o)
        : await this.#validateZip(target, checks, inspected, o);
    } catch (error) {
      const fault = asFault(target, error);
      // A fault that leaves nothing more to look at.
      checks.fail(nextCheck(checks, fault), fault);
      return this.#finish(checks, inspected, undefined);
    }
  }

  /** @param found - takes what the inspection found, for the report of a fault that comes after it */
  async #validateZip(
    zip: string,
    checks: CheckList,
    found: Partial<Inspected>,
    o: ReadOptions,
  ): Promise<ValidationReport> {
    const { archiveSource, checkSpace, neededSpace } = await import('./reading.js');
    const archive = await this.#openArchive(zip, o);
    try {
      checks.pass('zip_open', `${archive.entries.length} entries`);
      const integrity = await this.#checkSignature(archive, checks, o.signal);
      const inspected = await this.#inspect(archiveSource(archive), checks, o.signal, integrity);
      Object.assign(found, inspected);
      const { layout } = inspected;
      return await this.#tryOut(checks, inspected, o, async (inspection, temporary) => {
        const root = path.join(temporary, 'package');
        await checkSpace(temporary, neededSpace(inspection), `the trial run of ${inspection.name}`);
        await archive.extract(root, { place: (entry) => layout.place(entry), signal: o.signal });
        const places = { root, wheels: path.join(root, 'wheels'), venv: path.join(root, 'venv') };
        return this.#install(places, inspection, checks, o);
      });
    } finally {
      await archive.close(); // no `using`: its helper would be loaded with the library
    }
  }

  async #validateFolder(
    folder: string,
    checks: CheckList,
    found: Partial<Inspected>,
    o: OperationOptions,
  ): Promise<ValidationReport> {
    const { folderSource } = await import('./reading.js');
    checks.skip('zip_open', 'this is a folder');
    checks.skip('integrity', 'a folder has no signature');
    const inspected = await this.#inspect(
      await folderSource(folder, { limits: this.#limits, signal: o.signal }),
      checks,
      o.signal,
    );
    Object.assign(found, inspected);
    const { layout } = inspected;
    return this.#tryOut(checks, inspected, o, async (inspection, temporary) => {
      const root = path.join(folder, layout.root);
      const own = await pythonOf(path.join(root, 'venv'));
      if (own !== undefined) {
        checks.pass('environment', own);
        return { root, python: own };
      }
      const wheels = path.join(folder, layout.wheelsRoot);
      return this.#install({ root, wheels, venv: path.join(temporary, 'venv') }, inspection, checks, o);
    });
  }

  /** The trial run of a package that passed so far, if there is to be one, in what `prepare` makes ready. */
  async #tryOut(
    checks: CheckList,
    inspected: Inspected,
    { signal }: OperationOptions,
    prepare: (inspection: PackageInspection, temporary: string) => Promise<Runnable>,
  ): Promise<ValidationReport> {
    const { inspection } = inspected;
    if (!inspection || checks.failures.length > 0 || !this.runsSmoke)
      return this.#finish(checks, inspected, undefined);
    const { manifest, generation } = inspection;
    const { runTrial, sourcelessModules } = await import('./probe.js');
    const sourceless = sourcelessModules(inspection);
    const findings = await runTrial(
      async (temporary) => ({ ...(await prepare(inspection, temporary)), manifest, generation, sourceless }),
      { signal, ...this.#trial },
    );
    for (const check of findings.checks) checks.add(check);
    return this.#finish(checks, inspected, findings);
  }

  async #inspect(
    source: PackageSource,
    checks: CheckList,
    signal: AbortSignal | undefined,
    integrity?: IntegrityCheck,
  ): Promise<Inspected> {
    const venvs = (this.#venvs ??= new VenvManager());
    const unusable: UnusablePython[] = [];
    const { inspectSource } = await import('./reading.js');
    const inspected = await inspectSource(source, {
      checks,
      signal,
      startupCode: this.#startupCode,
      interpreters: () => venvs.interpretersInTurn({ signal, onUnusable: (python) => unusable.push(python) }),
      lookedAt: () => ({ places: placesLookedAt({ given: venvs.given }), unusable }),
    });
    await integrity?.wheels(inspected);
    return inspected;
  }

  async #checkSignature(
    archive: Archive,
    checks: CheckList,
    signal: AbortSignal | undefined,
  ): Promise<IntegrityCheck> {
    const integrity = new IntegrityCheck(archive, this.integrity, { checks, signal });
    await integrity.signature();
    return integrity;
  }

  async #install(
    places: { root: string; wheels: string; venv: string },
    inspection: PackageInspection,
    checks: CheckList,
    { signal }: OperationOptions,
  ): Promise<Runnable> {
    const venvs = (this.#venvs ??= new VenvManager());
    const interpreter = await venvs.select(interpreterNeed(places.root, inspection), { signal });
    const venv = await venvs.create(places.venv, { interpreter, signal });
    const requirements = path.join(places.root, 'requirements.txt');
    const limits = this.#limits;
    await venvs.install(venv, { wheels: places.wheels, requirements, limits, signal });
    checks.pass('environment', `Python ${interpreter.version}`);
    return { root: places.root, python: venv.python };
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
      if (name === 'boundary_cases' && this.#trial.boundaryCases === 'off') {
        checks.skip(name, 'they are switched off');
      } else if (inspection?.generation === 'execute-only' && PHASED_CHECKS.has(name)) {
        checks.skip(name, PHASED_CHECKS.get(name) ?? '');
      } else if (findings && isSmokeCheck(name)) checks.skip(name, 'the trial call gave nothing to check');
      else if (!this.runsSmoke && isSmokeCheck(name)) checks.skip(name, 'the trial run is switched off');
      else checks.skip(name, 'a fault before it stands in the way');
    }
    const error = checks.failures[0] ?? findings?.error;
    const { cases, info } = findings ?? {};
    const notHandled = error ? [] : (cases ?? []).filter(({ result }) => result === 'FAIL');
    const said = [
      ...(warnings ?? []),
      ...notHandled.map((one) => `The algorithm does not handle ${caseFault(one)}`),
    ];
    return makeReport(checks.checks, {
      ...(error && { error }),
      ...(inspection && { manifest: inspection.manifest }),
      ...(info && { info }),
      ...(said.length > 0 && { warnings: said }),
      ...(cases && { boundaryCases: cases }),
    });
  }

  async #openArchive(zip: string, { limits, nameEncoding, signal }: ReadOptions): Promise<Archive> {
    const { openArchive } = await import('./reading.js');
    return openArchive(zip, { limits: { ...this.#limits, ...limits }, nameEncoding, signal });
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
  return new RunnerError(
    'invalid_zip',
    `${target} cannot be read: ${error.message}. Give this user the right to read it, or copy it to another disk`,
    { cause: error, details: { path: target } },
  );
}

/** The check that a fault was met in. */
function nextCheck(checks: CheckList, fault: RunnerError): CheckName {
  if (fault.code === 'invalid_zip' || fault.code === 'not_found') {
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
