import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { assetPath } from '../assets.js';
import { RunnerError } from '../errors.js';
import type { Check, Generation, Manifest } from '../package/types.js';
import { pythonEnvironment } from '../process/environment.js';
import { run } from '../process/run.js';
import type { CheckName } from './check-names.js';

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
}

/** What the probe found. */
export interface ProbeFindings {
  /** In the order they were made. */
  checks: (Check & {
    /** Which check. */
    name: CheckName;
  })[];
  /** The first failure, with Python's traceback. */
  error?: RunnerError;
  /** What `get_info()` answered (phased generation). */
  info?: Record<string, unknown>;
  /** Whether the environment has these modules. */
  modules: {
    /** NumPy. */
    numpy: boolean;
    /** Pillow. */
    PIL: boolean;
  };
}

/** A line of the probe's findings (see probe.py). */
interface ProbeLine {
  check?: CheckName;
  result?: Check['result'];
  message?: string;
  duration_ms?: number;
  traceback?: string;
  info?: Record<string, unknown>;
  modules?: ProbeFindings['modules'];
  done?: boolean;
}

/** What the interpreter and its start may take, beyond the steps. */
const START_MS = 30_000;
const STEPS = { smoke: 5, info: 2 };

/**
 * Loads the algorithm in its own environment and tries it out, in a process of its own: bounded in time and output,
 * with the network denied (a network namespace on Linux where permitted, and no internet sockets from Python), and
 * killed with everything it started.
 *
 * @throws RunnerError `aborted`, `start_failed` when Python itself cannot be started
 */
export async function runProbe(
  target: ProbeTarget,
  task: 'smoke' | 'info',
  o: OperationOptions & { stepTimeoutMs: number },
): Promise<ProbeFindings> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'procvision-probe-'));
  try {
    const frames = path.join(folder, 'frames');
    await mkdir(frames);
    const order = path.join(folder, 'order.json');
    const out = path.join(folder, 'findings.jsonl');
    const { manifest, generation, root } = target;
    await writeFile(
      order,
      JSON.stringify({
        task,
        entry_point: manifest.entry_point,
        generation,
        manifest,
        root,
        out,
        step_seconds: o.stepTimeoutMs / 1000,
      }),
    );
    const ended = await run(target.python, [assetPath('validation/probe.py'), order], {
      cwd: root,
      env: pythonEnvironment({
        PROC_ENV: 'prod',
        PROC_ALGO_ROOT: root,
        PROC_SHM_DIR: frames,
        PYTHONDONTWRITEBYTECODE: '1',
      }),
      // Steps are timed inside, where it can be said which one it was; this is for one that holds the interpreter.
      timeoutMs: STEPS[task] * o.stepTimeoutMs + START_MS,
      maxOutputBytes: 256 * 1024,
      signal: o.signal,
    }).then(
      ({ exitCode, exitSignal, stderr }): Ending => ({
        how: `ended the process (${exitSignal ?? `exit code ${exitCode}`})`,
        output: stderr.trimEnd().split('\n').slice(-20),
      }),
      (error: unknown): Ending => {
        if (!RunnerError.is(error, 'timeout')) throw error;
        return { how: `hung and was killed (${error.message})`, output: error.details.output ?? [] };
      },
    );
    const text = await readFile(out, 'utf8').catch(() => '');
    const lines = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as ProbeLine);
    return collect(target, lines, ended);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** How the probe's process ended, and what it said last. */
interface Ending {
  how: string;
  output: string[];
}

function collect({ manifest }: ProbeTarget, lines: ProbeLine[], ending: Ending): ProbeFindings {
  const findings: ProbeFindings = { checks: [], modules: { numpy: false, PIL: false } };
  for (const line of lines) {
    if (line.info) findings.info = line.info;
    if (line.modules) findings.modules = line.modules;
    if (!line.check || !line.result) continue;
    const { check: name, result, message = '', duration_ms: durationMs = 0, traceback } = line;
    findings.checks.push({ name, result, message, durationMs });
    if (result === 'FAIL') findings.error ??= failure(manifest, name, message, traceback, ending);
  }
  if (!lines.some((line) => line.done) && !findings.error) {
    const name: CheckName = findings.checks.length === 0 ? 'entry_import' : 'smoke_execute';
    findings.checks.push({ name, result: 'FAIL', message: ending.how, durationMs: 0 });
    findings.error = failure(manifest, name, ending.how, undefined, ending);
  }
  return findings;
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
