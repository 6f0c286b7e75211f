import path from 'node:path';
import { RunnerError } from '../../errors.js';
import { compareVersions, parseVersion, satisfies } from '../../package/pep440.js';
import { evaluateMarker } from '../../package/pep508.js';
import { parseRequirement } from '../../package/requirements.js';
import type { Requirement, Wheel } from '../../package/types.js';
import type { WheelMetadata } from '../../package/wheel-metadata.js';
import { normalizeProjectName } from '../../package/wheel-name.js';
import type { ChosenWheel } from './choice.js';
import type { Installation } from '../pip/install-pip.js';
import { readMetadata } from './read-metadata.js';
import { fits, misfits, tellingTags } from '../interpreters/tags.js';

/** Something that requires a project. */
interface Demand {
  requirement: Requirement;
  /** Undefined for a line of the requirements file. */
  by?: Wheel;
}

/** Each pass either ends or has learned of another demand; packages have some hundred at most. */
const MOST_PASSES = 1_000;

/**
 * Chooses wheels where there is no pip to ask: of each project required the best version that suits all who require
 * it. A choice that made others necessary is not taken back, as pip would do in search of another; a package that was
 * collected for one interpreter has one version of everything, and needs no search.
 *
 * @throws RunnerError `wheels_missing`, `incompatible_python`, `install_failed` as with pip
 */
export async function chooseWithoutPip(
  installation: Installation,
  hashes: ReadonlyMap<string, string>,
): Promise<ChosenWheel[]> {
  const metadata = new Map<string, WheelMetadata>();
  const read = async (wheel: Wheel) => {
    const known =
      metadata.get(wheel.file) ?? (await readMetadata(path.join(installation.wheelsFolder, wheel.file)));
    metadata.set(wheel.file, known);
    return known;
  };
  const roots = installation.requirements.lines.map((line) => demandOf(line));
  const limits = installation.requirements.constraints
    .map((line) => demandOf(line))
    .filter(({ requirement }) => applies(requirement, '', installation));
  const choices = new Map<string, { wheel: Wheel; extras: Set<string> }>();
  const demands = new Map<string, Demand[]>();
  const queue: { demand: Demand; extra: string }[] = roots.map((demand) => ({ demand, extra: '' }));
  let passes = 0;
  for (const { demand, extra } of queue) {
    if (passes++ > MOST_PASSES) throw failed(installation, 'what they require has no end');
    const { requirement } = demand;
    if (!applies(requirement, extra, installation)) continue;
    const { name } = requirement;
    const all = [...(demands.get(name) ?? []), demand];
    demands.set(name, all);
    const wheel = await best(
      name,
      [...all, ...limits.filter((limit) => limit.requirement.name === name)],
      installation,
      {
        hashes,
        read,
      },
    );
    const known = choices.get(name);
    if (known && known.wheel !== wheel)
      throw failed(installation, `several versions of ${name} come into question`);
    const { requires, extras: offered = [] } = await read(wheel);
    const done = known?.extras ?? new Set<string>();
    const fresh = ['', ...requirement.extras.filter((one) => offered.includes(one))].filter(
      (one) => !done.has(one),
    );
    choices.set(name, { wheel, extras: new Set([...done, ...fresh]) });
    for (const one of fresh)
      for (const line of requires) {
        if (isAskedFor(line, one, installation)) queue.push({ demand: demandOf(line, wheel), extra: one });
      }
  }
  const requested = new Map(roots.map(({ requirement }) => [requirement.name, requirement]));
  return [...choices].map(([name, { wheel }]) => {
    const first = demands.get(name)?.[0]?.requirement.text ?? name;
    const writtenName = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/.exec(first)?.[0] ?? name;
    return { file: wheel.file, requested: requested.has(name), writtenName };
  });
}

/** Whether a dependency may hold, by its marker alone: what it asks for beside need not be readable where it does not. */
function isAskedFor(line: string, extra: string, { facts }: Installation): boolean {
  const marker = /;(.*)$/s.exec(line)?.[1];
  return marker === undefined || evaluateMarker(marker, { ...facts.markers, extra }) !== false;
}

function demandOf(line: string, by?: Wheel): Demand {
  const requirement = parseRequirement(line);
  if (typeof requirement !== 'string') return { requirement, by };
  const from = by ? `${by.file} requires ${line}, which` : `The requirement ${line}`;
  throw new RunnerError('install_failed', `${from} ${requirement}`, { details: { requirements: [line] } });
}

/** A marker about extras holds for the extra that is asked for, and without one for none. */
function applies({ marker }: Requirement, extra: string, { facts }: Installation): boolean {
  if (marker === undefined) return extra === '';
  const holds = (value: string) => evaluateMarker(marker, { ...facts.markers, extra: value }) === true;
  return extra === '' ? holds('') : holds(extra) && !holds('');
}

async function best(
  name: string,
  demands: readonly Demand[],
  installation: Installation,
  o: { hashes: ReadonlyMap<string, string>; read: (wheel: Wheel) => Promise<WheelMetadata> },
): Promise<Wheel> {
  const { facts, wheelsFolder, venv } = installation;
  const ofName = installation.wheels.filter((wheel) => normalizeProjectName(wheel.name) === name);
  const asked = demands.map(({ requirement }) => requirement.text);
  if (ofName.length === 0) {
    throw new RunnerError(
      'wheels_missing',
      `${asked.join(', ')} is required, and ${wheelsFolder} has no wheel of it. Add it`,
      {
        details: { path: wheelsFolder, requirements: asked },
      },
    );
  }
  const wrong = misfits(ofName, venv.interpreter);
  const usable: Wheel[] = [];
  const otherPython: Wheel[] = [];
  for (const wheel of ofName.filter((one) => fits(one, venv.interpreter))) {
    const { requiresPython } = await o.read(wheel);
    const suits = requiresPython === undefined || satisfies(facts.version, requiresPython) !== false;
    (suits ? usable : otherPython).push(wheel);
  }
  if (usable.length === 0) {
    const concerned = wrong.length > 0 ? wrong : otherPython;
    throw new RunnerError(
      'incompatible_python',
      `${concerned.map(({ file }) => file).join(', ')} cannot be used by Python ${facts.version} at ${venv.interpreter.path}`,
      {
        details: {
          requirements: asked,
          wheels: concerned.map(({ file, tags }) => ({ file, tags })),
          interpreters: [{ ...venv.interpreter, tags: tellingTags(venv.interpreter) }],
        },
      },
    );
  }
  const meeting = usable.filter((wheel) =>
    demands.every(({ requirement: { specifier, hashes } }) => {
      const isListed = hashes.length === 0 || hashes.includes(o.hashes.get(wheel.file) ?? '');
      return isListed && satisfies(wheel.version, specifier) === true;
    }),
  );
  const tags = [...venv.interpreter.tags];
  const order = takesPreReleases(demands, installation) ? byNumber : byVersion;
  const [chosen] = meeting.sort((a, b) => order(b, a) || rank(a, tags) - rank(b, tags) || byBuild(b, a));
  if (chosen) return chosen;
  throw new RunnerError(
    'wheels_missing',
    `${asked.join(', ')} is required, and ${wheelsFolder} has only ${ofName.map(({ file }) => file).join(', ')}`,
    { details: { path: wheelsFolder, requirements: asked } },
  );
}

/** Final releases before all others, as pip prefers them; then the later version. */
function byVersion(a: Wheel, b: Wheel): number {
  const [left, right] = [parseVersion(a.version), parseVersion(b.version)];
  if (!left || !right) return Number(left !== undefined) - Number(right !== undefined);
  const isFinal = (version: typeof left) => Number(version.pre === undefined && version.dev === undefined);
  return isFinal(left) - isFinal(right) || compareVersions(left, right);
}

/** The later version, be it final or not. */
function byNumber(a: Wheel, b: Wheel): number {
  const [left, right] = [parseVersion(a.version), parseVersion(b.version)];
  return left && right ? compareVersions(left, right) : byVersion(a, b);
}

/** With `--pre`, or where a version that is asked for is a pre-release itself, one is as good as a final release. */
function takesPreReleases(demands: readonly Demand[], { requirements }: Installation): boolean {
  if (requirements.options.includes('--pre')) return true;
  return demands.some(({ requirement: { specifier } }) =>
    specifier.split(',').some((clause) => {
      if (clause.startsWith('!=')) return false;
      const version = parseVersion(clause.replace(/^[<>=~]+/, '').replace(/\.\*$/, ''));
      return version !== undefined && (version.pre !== undefined || version.dev !== undefined);
    }),
  );
}

/** A build tag is a number and what follows it; a wheel without one comes before all that have one (PEP 427). */
function byBuild(a: Wheel, b: Wheel): number {
  const parts = ({ build }: Wheel) => /^(\d+)(.*)$/s.exec(build ?? '');
  const [left, right] = [parts(a), parts(b)];
  if (!left || !right) return Number(left !== null) - Number(right !== null);
  const [restA = '', restB = ''] = [left[2], right[2]];
  return Number(left[1]) - Number(right[1]) || Number(restA > restB) - Number(restA < restB);
}

/** The more specific tag is the better one; interpreters list theirs so. */
function rank(wheel: Wheel, tags: readonly string[]): number {
  return Math.min(...wheel.tags.map((tag) => tags.indexOf(tag)).filter((index) => index >= 0));
}

function failed({ venv, wheelsFolder }: Installation, why: string): RunnerError {
  return new RunnerError(
    'install_failed',
    `The wheels in ${wheelsFolder} need pip to be chosen from, since ${why}, and ${venv.interpreter.path} has none: ` +
      'add a wheel of pip to the package, or install pip for that interpreter',
    { details: { path: wheelsFolder } },
  );
}
