import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type OperationOptions, throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { lookIntoArchive } from '../../package/archive/open-archive.js';
import type { RequirementTree } from '../../package/requirement-tree.js';
import type { ArchiveLimits, Requirement, Wheel } from '../../package/types.js';
import { decodeUtf8 } from '../../package/text.js';
import { brokenWheel, distInfoFolders, needsOf, parseMetadata } from '../../package/wheel-metadata.js';
import { normalizeProjectName } from '../../package/wheel-name.js';
import { hashFile } from '../../store/hash-file.js';
import type { PythonFacts } from '../interpreters/python-facts.js';
import { fits } from '../interpreters/tags.js';
import { Turns } from '../turns.js';
import type { Venv } from '../types.js';
import { Backtracking, TooManyRounds, Unsolvable } from './backtracking.js';
import { type Candidate, Candidates, type ChoiceEnvironment, type ReadWheel } from './candidates.js';
import { explain } from './explain.js';
import { cannotUnpack, failureOf } from './failure.js';
import { NoChoice } from './no-choice.js';
import { inPipsOrder } from './order.js';
import { type Demand, WheelProvider } from './provider.js';

/** A wheel that is to be installed. */
export interface ChosenWheel {
  /** File name in the wheels folder. */
  file: string;
  /** Normalised name of its project. */
  project: string;
  /** Whether a requirement names it, rather than another wheel. */
  requested: boolean;
  /** The project's name as it is written where it is required: pip calls the folder of its headers so. */
  writtenName: string;
}

/** What is chosen. */
export interface Choice {
  /** In the order in which pip installs them. */
  chosen: ChosenWheel[];
  /** What pip warns of. */
  warnings: string[];
}

/** What is chosen from, and for what. */
interface ChoiceSource extends OperationOptions {
  requirements: readonly Requirement[];
  constraints: readonly Requirement[];
  /** Of the requirements file: `--pre`, `--require-hashes`. */
  options: readonly string[];
  wheels: readonly Wheel[];
  environment: ChoiceEnvironment;
  /** What a wheel says of itself; undefined where that is not known. */
  metadataOf: (wheel: Wheel) => Promise<ReadWheel['metadata']>;
  /** A hash of a wheel, in lower-case hex; without it hashes are not compared. */
  digestOf?: (wheel: Wheel, algorithm: string) => Promise<string>;
  /** Longest time that is searched. @defaultValue 60_000 */
  mostMs?: number;
}

/** As many as pip makes. */
const MOST_ROUNDS = 200_000;
/** How long others wait for a search. Real ones take milliseconds in all. */
const SLICE_MS = 20;
const READ_AT_ONCE = 4;

/**
 * Chooses wheels for requirements as pip 26.3 chooses them, whatever pip the interpreter has: pip's resolver and its
 * finder, for a folder of wheels.
 *
 * @throws NoChoice, and what reading a wheel throws that is to be chosen; RunnerError `aborted`
 */
export async function choose(source: ChoiceSource): Promise<Choice> {
  const { requirements, constraints, options, environment } = source;
  const hashes = [...requirements, ...constraints].flatMap((one) =>
    one.wheel === undefined ? one.hashes : [],
  );
  const requiresHashes = hashes.length > 0 || options.includes('--require-hashes');
  const takesPreReleases = options.includes('--pre');
  const read = await readWheels(source);
  const candidates = new Candidates(read, environment, { takesPreReleases, requiresHashes });
  const provider = new WheelProvider(candidates, environment, { constraints, requiresHashes });
  const roots = provider.roots(requirements);
  const search = new Backtracking<Demand, Candidate>(provider, {
    mostRounds: MOST_ROUNDS,
    pause: pauses(source),
  });
  const { pins, asks } = await search.solve(roots).catch((error: unknown): never => {
    if (error instanceof TooManyRounds) throw tooMuch();
    if (!(error instanceof Unsolvable)) throw error;
    const { causes } = error as Unsolvable<Demand, Candidate>;
    throw explain(causes, { wheels: source.wheels, environment, candidates, provider });
  });
  const bases = new Map<string, ChosenWheel>();
  for (const { source: found, template, project } of pins.values()) {
    if (!found || !template) continue;
    const { isRoot: requested, writtenName } = template;
    bases.set(project, { file: found.wheel.file, project, requested, writtenName });
  }
  const order = inPipsOrder({ asks }, [...bases.keys()]);
  return { chosen: order.flatMap((name) => bases.get(name) ?? []), warnings: [...candidates.warnings] };
}

/** The wheels that may be asked for, each with what it says of itself: of packages all, of a folder of many a few. */
async function readWheels(source: ChoiceSource): Promise<ReadWheel[]> {
  const { requirements, constraints, wheels, environment, signal } = source;
  const byProject = new Map<string, Wheel[]>();
  for (const wheel of wheels) {
    if (fits(wheel, environment)) byProject.set(wheel.name, [...(byProject.get(wheel.name) ?? []), wheel]);
  }
  // Distinguishes a wheel for another interpreter that a URL names from a wheel that does not exist.
  const named = new Set([...requirements, ...constraints].map(({ wheel }) => wheel));
  const read: ReadWheel[] = wheels
    .filter((wheel) => named.has(wheel.file) && !fits(wheel, environment))
    .map((wheel) => ({ wheel, metadata: undefined, digests: undefined }));
  const projects = new Set(requirements.map(({ name }) => name));
  const algorithms = new Set(
    [...requirements, ...constraints].flatMap(({ hashes }) =>
      hashes.map((hash) => (hash.includes(':') ? (hash.split(':')[0] ?? '') : 'sha256')),
    ),
  );
  // Side by side all that are known of by now: each of them may name further ones.
  for (let known = [...projects]; known.length > 0;) {
    const waiting = known.flatMap((project) => byProject.get(project) ?? []);
    const found: ReadWheel[] = [];
    const next = waiting.entries();
    const lane = async () => {
      for (const [index, wheel] of next) {
        throwIfAborted(signal, 'choice of wheels');
        found[index] = { wheel, ...(await readMetadata(wheel, source)), digests: undefined };
      }
    };
    await Promise.all(Array.from({ length: READ_AT_ONCE }, lane));
    read.push(...found);
    const lines = found.flatMap(({ metadata }) => metadata?.requires ?? []);
    if (lines.some((line) => line.includes('#'))) algorithms.add('sha256'); // of a URL
    const names = lines.map((line) => normalizeProjectName(/^\s*([\w.-]+)/.exec(line)?.[1] ?? ''));
    known = [...new Set(names)].filter((name) => !projects.has(name));
    known.forEach((name) => projects.add(name));
  }
  for (const one of source.digestOf ? read : []) {
    const digests = new Map<string, string>();
    for (const algorithm of algorithms)
      digests.set(algorithm, (await source.digestOf?.(one.wheel, algorithm)) ?? '');
    one.digests = digests;
  }
  return read;
}

async function readMetadata(
  wheel: Wheel,
  { metadataOf }: ChoiceSource,
): Promise<Pick<ReadWheel, 'metadata' | 'fault'>> {
  try {
    return { metadata: await metadataOf(wheel) };
  } catch (fault) {
    // Of a wheel that is not chosen nobody needs to know.
    return { metadata: undefined, fault };
  }
}

/** Something to wait for whenever others have waited long enough. */
function pauses({ signal, mostMs = 60_000 }: ChoiceSource): () => Promise<void> | undefined {
  const startedAt = performance.now();
  let resumedAt = startedAt;
  return () => {
    const now = performance.now();
    if (now - resumedAt < SLICE_MS) return undefined;
    throwIfAborted(signal, 'choice of wheels');
    if (now - startedAt > mostMs) throw tooMuch();
    return setImmediate().then(() => {
      resumedAt = performance.now();
    });
  };
}

function tooMuch(): NoChoice {
  return new NoChoice(
    'too much',
    'there are too many ways in which the versions might go together: name the versions in requirements.txt, or leave out those that are not used',
  );
}

/** What is chosen from for one environment. */
export interface ChoiceOrder extends OperationOptions {
  venv: Pick<Venv, 'interpreter'>;
  facts: PythonFacts;
  wheelsFolder: string;
  wheels: readonly Wheel[];
  requirements: RequirementTree;
  /** What each wheel is held to. */
  limits?: Partial<ArchiveLimits> | undefined;
}

/**
 * Chooses what an installation puts into an environment. `known` tells hashes of wheels, and what some of them say of themselves,
 * by their names.
 *
 * @throws RunnerError `wheels_missing`, `incompatible_python`, `install_failed`, with pip's words as their output;
 * `invalid_zip` for a wheel that is no archive or past a limit
 */
export async function chooseFor(
  order: ChoiceOrder,
  known: {
    sha256Of?: (file: string) => Promise<string>;
    metadataOf?: (file: string) => ReturnType<ChoiceSource['metadataOf']>;
  } = {},
): Promise<Choice> {
  const { wheels, wheelsFolder, requirements, facts, venv, signal } = order;
  const turns = new Turns();
  const { tags } = venv.interpreter;
  const fileOf = ({ file }: Wheel) => path.join(wheelsFolder, file);
  const compressed = new Set<string>();
  let choice: Choice;
  try {
    choice = await choose({
      ...requirements,
      ...{ wheels, signal },
      environment: { tags, markers: facts.markers, pythonVersion: facts.version },
      metadataOf: async (wheel) => {
        const metadata =
          (await known.metadataOf?.(wheel.file)) ??
          (await readMetadataOf(fileOf(wheel), { ...order, turns }));
        if (metadata.needsZstandard) compressed.add(wheel.file);
        return metadata;
      },
      digestOf: (wheel, algorithm) =>
        algorithm === 'sha256' && known.sha256Of
          ? known.sha256Of(wheel.file)
          : hashFile(fileOf(wheel), { algorithm, signal }),
    });
  } catch (error) {
    throw error instanceof NoChoice ? failureOf(error, wheelsFolder, venv.interpreter) : error;
  }
  const unread = choice.chosen.filter(({ file }) => compressed.has(file));
  if (unread.length > 0 && !facts.has_zstd) throw cannotUnpack(unread, wheelsFolder, [venv.interpreter]);
  return choice;
}

/** What the METADATA of a wheel file says. */
async function readMetadataOf(
  file: string,
  { limits, signal, turns }: ChoiceOrder & { turns: Turns },
): Promise<NonNullable<ReadWheel['metadata']>> {
  const giveUpTurn = await turns.take();
  try {
    const archive = await lookIntoArchive(file, { limits, signal });
    try {
      const [folder = ''] = distInfoFolders(archive);
      const entry = archive.get(`${folder}/METADATA`);
      if (!entry)
        throw new RunnerError('install_failed', `The wheel ${file} has no METADATA`, {
          details: { path: file },
        });
      const text = decodeUtf8(await archive.read(entry, { signal }));
      if (text === undefined) throw brokenWheel(archive, 'is not UTF-8', entry.name);
      return { ...parseMetadata(text), ...needsOf(archive) };
    } finally {
      await archive.discard();
    }
  } finally {
    giveUpTurn();
  }
}
