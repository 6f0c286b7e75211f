import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { RunnerError } from '../../errors.js';
import { normalizeProjectName } from '../../package/wheel-name.js';
import { readJson, writeJsonAtomic } from '../../store/atomic-file.js';
import type { PythonFacts } from '../interpreters/python-facts.js';
import type { Installation } from '../pip/install-pip.js';
import { choosePip, noPip, runPip } from '../pip/pip.js';
import { explainPipFailure } from '../pip/pip-faults.js';

/** A wheel that is to be installed. */
export interface ChosenWheel {
  /** File name in the wheels folder. */
  file: string;
  /** Whether a requirement names it, rather than another wheel. */
  requested: boolean;
  /** The project's name as whoever requires it writes it: pip calls the folder of its headers so. */
  writtenName: string;
}

/** pip's report on an installation, as far as it is read here (version 1 of pip's specification of it). */
interface PipReport {
  install: {
    download_info: { url: string };
    metadata: { name: string; requires_dist?: string[] };
    requested: boolean;
  }[];
}

/**
 * Everything pip's choice depends on: requirements, wheels by content, and the interpreter by its tags and markers.
 */
export function choiceKey(installation: Installation, hashes: ReadonlyMap<string, string>): string {
  const { requirements, facts } = installation;
  const { platform_release: _release, platform_version: _version, ...markers } = facts.markers;
  const key = JSON.stringify([
    1,
    requirements,
    [...hashes].sort(([a], [b]) => (a < b ? -1 : 1)),
    facts.tags,
    // A kernel update changes these two; a package that depends on them is asked about each time.
    usesKernelMarkers(requirements.lines) ? facts.markers : markers,
  ]);
  return createHash('sha256').update(key).digest('hex');
}

function usesKernelMarkers(lines: readonly string[]): boolean {
  return lines.some((line) => /platform_(release|version)/.test(line));
}

/** The choice that was made before under this key, if all its wheels are there. */
export async function rememberedChoice(
  folder: string,
  key: string,
  hashes: ReadonlyMap<string, string>,
): Promise<ChosenWheel[] | undefined> {
  const value = await readJson(path.join(folder, `${key}.json`)).catch(() => undefined);
  if (!Array.isArray(value)) return undefined;
  const chosen = value as ChosenWheel[];
  return chosen.every(({ file }) => hashes.has(file)) ? chosen : undefined;
}

/** Keeps a choice. */
export async function rememberChoice(
  folder: string,
  key: string,
  chosen: readonly ChosenWheel[],
): Promise<void> {
  await writeJsonAtomic(path.join(folder, `${key}.json`), chosen, 'none');
}

/** Has pip choose, without installing anything, by its report on what it would do. */
export async function chooseWithPip(installation: Installation): Promise<ChosenWheel[]> {
  const { venv, wheels, wheelsFolder, facts } = installation;
  const pip = choosePip(facts, wheelsFolder, wheels);
  if (pip === undefined) throw noPip(venv.interpreter);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'procvision-report-'));
  try {
    const report = path.join(folder, 'report.json');
    const result = await runPip({
      ...installation,
      pip,
      args: ['--dry-run', '--ignore-installed', '--report', report],
    });
    if (result.exitCode !== 0) {
      const { output, exitCode } = result;
      throw explainPipFailure({ output, exitCode, wheels, wheelsFolder, interpreter: venv.interpreter });
    }
    const { install } = JSON.parse(await readFile(report, 'utf8')) as PipReport;
    const written = writtenNames([
      ...installation.requirements.lines,
      ...install.flatMap(({ metadata }) => metadata.requires_dist ?? []),
    ]);
    return install.map(({ download_info: { url }, metadata, requested }) => {
      const file = path.basename(fileURLToPath(url));
      const writtenName = written.get(normalizeProjectName(metadata.name)) ?? metadata.name;
      if (wheels.some((wheel) => wheel.file === file)) return { file, requested, writtenName };
      throw new RunnerError(
        'install_failed',
        `pip chose ${url}, which is none of the wheels in ${wheelsFolder}`,
        {
          details: { path: wheelsFolder },
        },
      );
    });
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Each project's name as it is written where it is first required, by its normalised name. */
export function writtenNames(requirements: readonly string[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const requirement of requirements) {
    const name = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/.exec(requirement)?.[0] ?? '';
    if (!names.has(normalizeProjectName(name))) names.set(normalizeProjectName(name), name);
  }
  return names;
}

/** Whether the interpreter's pip can tell its choice without installing: since 22.2. */
export function canReport(facts: PythonFacts): boolean {
  const [major = 0, minor = 0] = (facts.pips[0]?.version ?? '99').split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 2);
}
