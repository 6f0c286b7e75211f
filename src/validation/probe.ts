import { isRecord } from '../arguments.js';
import { constants } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { assetPath } from '../assets.js';
import { RunnerError } from '../errors.js';
import type { BoundaryCase, Check, Generation, Manifest } from '../package/types.js';
import { pythonEnvironment } from '../process/environment.js';
import { launch } from '../process/launch.js';
import { run } from '../process/run.js';
import { exitCodeInWords } from '../process/windows-exit.js';
import { caseFault, casesFrom } from './case-findings.js';
import { asRefusedRoom } from './refused-room.js';
import { sourcelessHint, type Sourceless } from './sourceless.js';
import { isCheckName, type CheckName } from './check-list.js';
import { inTemporaryFolder } from '../store/temporary-folder.js';

export { sourcelessModules } from './sourceless.js';

/** What to try out. */
export interface ProbeTarget {
  /** Algorithm root. */
  root: string;
  /** Interpreter of the version's environment. */
  python: string;
  /** Of the package. */
  manifest: Manifest;
  /** How it is called. */
  generation: Generation;
  /** Folder of the store that `root` is in, and the one within it that holds all versions: out of reach but for `root`. */
  store?: {
    /** The store itself. */
    root: string;
    /** Folder of all deployed versions. */
    versions: string;
  };
  /**
   * An empty file, which gets the path of each source below `root` as the trial compiles it, a line of JSON each.
   * @internal
   */
  told?: string | undefined;
  /**
   * Modules that were left out of the root.
   * @internal
   */
  sourceless?: Sourceless;
}

/** How long the probe may take, and in which surroundings. */
export interface ProbeOptions extends OperationOptions {
  /** Limit of each step. */
  stepTimeoutMs: number;
  /** Limit of importing and constructing, which may load a model. @defaultValue `stepTimeoutMs` */
  loadTimeoutMs?: number;
  /** Variables that workers get, too. @defaultValue none */
  env?: Readonly<Record<string, string>>;
  /** What an exception in `setup()` is. @defaultValue 'fail' */
  setupErrors?: 'fail' | 'warn';
  /** What boundary cases are that the algorithm does not handle; none is run where nothing is given. @defaultValue 'off' */
  boundaryCases?: 'off' | 'warn' | 'fail';
}

/** What the probe found. */
export interface ProbeFindings {
  /** In the order they were made. */
  checks: (Check & {
    name: CheckName;
  })[];
  /** The first failure, with Python's traceback. */
  error?: RunnerError;
  /** What `get_info()` answered (phased generation). */
  info?: Record<string, unknown>;
  /** Whether the environment has these modules. */
  modules: {
    numpy: boolean;
    /** Pillow. */
    PIL: boolean;
  };
  /** Sources that were imported, relative to the root, as the algorithm's process says. */
  loaded: string[];
  /** Boundary cases that were run. */
  cases?: BoundaryCase[];
}

/** A line of the probe's findings (see probe.py), not yet looked at. */
type ProbeLine = Partial<
  Record<
    | 'check'
    | 'result'
    | 'message'
    | 'duration_ms'
    | 'traceback'
    | 'info'
    | 'modules'
    | 'done'
    | 'loaded'
    | 'case'
    | 'begun'
    | 'cases_done',
    unknown
  >
>;

/** What the interpreter and its start may take, beyond the steps. */
const START_MS = 30_000;
/** Importing with constructing, and `setup()`. */
const LOADING_STEPS = 2;
/** Steps that follow the loading. */
const STEPS = { smoke: 4, info: 1 };
/** The calls of all boundary cases begin within the time of one step, and the last of them takes as long at most. */
const CASE_STEPS = 2;
/** The probe writes far less; the algorithm may write into the same file. */
const MOST_FINDINGS_BYTES = 4 * 1024 * 1024;

/** Runs an algorithm once that `prepare` makes ready in a folder of its own, which is gone afterwards. */
export async function runTrial(
  prepare: (folder: string) => Promise<ProbeTarget>,
  o: ProbeOptions,
): Promise<ProbeFindings> {
  return inTemporaryFolder('procvision-validate-', async (folder) =>
    runProbe(await prepare(folder), 'smoke', o),
  );
}

/**
 * Loads the algorithm in its own environment and tries it out, in a process of its own: bounded in time and output, with
 * the network denied (on Linux by a network namespace where that is permitted, everywhere by refusing internet sockets
 * to Python), and killed with everything it started, on Linux also what has left its process group. All of that is in
 * force before anything of the package's environment is in its reach.
 *
 * @throws RunnerError `aborted`, `start_failed` when Python itself cannot be started
 */
export async function runProbe(
  target: ProbeTarget,
  task: 'smoke' | 'info',
  o: ProbeOptions,
): Promise<ProbeFindings> {
  const { stepTimeoutMs, loadTimeoutMs = stepTimeoutMs, env = {}, setupErrors = 'fail', signal } = o;
  const { boundaryCases = 'off' } = o;
  const cases = task === 'smoke' && boundaryCases !== 'off';
  const steps = STEPS[task] + (cases ? CASE_STEPS : 0);
  // A store has room, whatever the system's temp dir is like.
  const parent = target.store && path.dirname(target.root);
  return inTemporaryFolder(
    'procvision-probe-',
    async (folder) => {
      const frames = path.join(folder, 'frames');
      await mkdir(frames);
      const order = path.join(folder, 'order.json');
      const out = path.join(folder, 'findings.jsonl');
      const { manifest, generation, root, told } = target;
      await writeFile(
        order,
        JSON.stringify({
          task,
          entry_point: manifest.entry_point,
          generation,
          manifest,
          root,
          out,
          told,
          load_seconds: loadTimeoutMs / 1000,
          step_seconds: stepTimeoutMs / 1000,
          setup_errors: setupErrors,
          cases,
        }),
      );
      const script = assetPath('validation/probe.py');
      const isKept = process.platform !== 'win32';
      const { store } = target;
      const bounds = { sealed: true, store: store?.root, hidden: store?.versions, network: 'none' as const };
      const start = launch(target.python, script, [order], {
        root,
        ...(isKept && { ...bounds, scratch: {} }),
      });
      const ended = await run(start.command, start.args, {
        cwd: root,
        isKept,
        env: pythonEnvironment({
          ...env,
          PROC_ENV: 'prod',
          PROC_ALGO_ROOT: root,
          PROC_SHM_DIR: frames,
          PROC_ENTRY_POINT: manifest.entry_point,
          PYTHONDONTWRITEBYTECODE: '1',
        }),
        // Steps are timed in the probe, which can name the slow step. This limit is for a step that blocks the interpreter.
        timeoutMs: LOADING_STEPS * loadTimeoutMs + steps * stepTimeoutMs + START_MS,
        maxOutputBytes: 256 * 1024,
        offersLogPipe: true,
        signal,
      }).then(
        ({ exitCode, exitSignal, stderr }): Ending => ({
          how: `ended the process (${exitSignal ?? `exit code ${exitCodeInWords(exitCode)}`})`,
          output: stderr.trimEnd().split('\n').slice(-20),
        }),
        (error: unknown): Ending => {
          if (!RunnerError.is(error, 'timeout')) throw error;
          return { how: `hung and was killed (${error.message})`, output: error.details.output ?? [] };
        },
      );
      const lines = parseLines(await readFindings(out));
      const findings = collect(target, lines, ended);
      if (cases) addCases(target.manifest, findings, { lines, ended, boundaryCases });
      if (findings.error) findings.error = await asRefusedRoom(findings.error, [folder, os.tmpdir()]);
      return findings;
    },
    parent,
  );
}

/** Opening a pipe would wait for somebody who writes into it. Windows has neither flag, nor what they are against. */
const {
  O_RDONLY,
  O_NOFOLLOW = 0,
  O_NONBLOCK = 0,
} = constants as Partial<typeof constants> & { O_RDONLY: number };

/** What the probe wrote; nothing where it did not come to that, or where the algorithm put something else there. */
async function readFindings(file: string): Promise<string> {
  const handle = await open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => undefined);
  if (!handle) return '';
  try {
    if (!(await handle.stat()).isFile()) return '';
    const buffer = Buffer.alloc(MOST_FINDINGS_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Lines that are the probe's own in form: an algorithm can write into the file, and a crash cuts the last one. */
function parseLines(text: string): ProbeLine[] {
  return text.split('\n').flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return typeof value === 'object' && value !== null ? [value] : [];
    } catch {
      return [];
    }
  });
}

/** How the probe's process ended, and what it said last. */
interface Ending {
  how: string;
  output: string[];
}

function collect({ manifest, sourceless }: ProbeTarget, lines: ProbeLine[], ending: Ending): ProbeFindings {
  const findings: ProbeFindings = { checks: [], modules: { numpy: false, PIL: false }, loaded: [] };
  for (const line of lines) {
    if (isRecord(line.info)) findings.info = line.info;
    if (isRecord(line.modules)) {
      findings.modules = { numpy: line.modules.numpy === true, PIL: line.modules.PIL === true };
    }
    if (Array.isArray(line.loaded)) {
      findings.loaded = line.loaded.filter((file: unknown) => typeof file === 'string');
    }
    const { check: name, result } = line;
    if (!isCheckName(name) || (result !== 'PASS' && result !== 'FAIL')) continue;
    const said = typeof line.message === 'string' ? line.message : '';
    const message = said + sourcelessHint(said, sourceless);
    const durationMs = typeof line.duration_ms === 'number' ? line.duration_ms : 0;
    const traceback = typeof line.traceback === 'string' ? line.traceback : undefined;
    findings.checks.push({ name, result, message, durationMs });
    if (result === 'FAIL') findings.error ??= failure(manifest, name, message, traceback, ending);
  }
  if (!lines.some(({ done }) => done === true) && !findings.error) {
    const name: CheckName = findings.checks.length === 0 ? 'entry_import' : 'smoke_execute';
    findings.checks.push({ name, result: 'FAIL', message: ending.how, durationMs: 0 });
    findings.error = failure(manifest, name, ending.how, undefined, ending);
  }
  return findings;
}

/** Adds what came of the boundary cases, where the trial before them went well. */
function addCases(
  manifest: Manifest,
  findings: ProbeFindings,
  {
    lines,
    ended,
    boundaryCases,
  }: Pick<ProbeOptions, 'boundaryCases'> & { lines: ProbeLine[]; ended: Ending },
): void {
  const cases = findings.error ? undefined : casesFrom(lines, ended.how);
  if (!cases) return;
  const name = 'boundary_cases';
  const faults = cases.filter(({ result }) => result === 'FAIL').map(caseFault);
  const passed = cases.filter(({ result }) => result === 'PASS').length;
  const fails = faults.length > 0 && boundaryCases === 'fail';
  const message = fails ? faults.join('; ') : `${passed} of ${passed + faults.length} are handled`;
  findings.cases = cases;
  findings.checks.push({ name, result: fails ? 'FAIL' : 'PASS', message, durationMs: 0 });
  if (fails) findings.error = failure(manifest, name, message, undefined, ended);
}

function failure(
  { name, version, entry_point: entryPoint }: Manifest,
  check: CheckName,
  message: string,
  traceback: string | undefined,
  { output }: Ending,
): RunnerError {
  return new RunnerError(
    'install_failed',
    `${name} ${version} failed its trial run at ${check} (${entryPoint}): ${message}`,
    { details: { name, version, stage: check, traceback, output } },
  );
}
