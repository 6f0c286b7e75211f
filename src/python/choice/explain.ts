import { formatVersion } from '../../package/pep440.js';
import type { Wheel } from '../../package/types.js';
import { fits } from '../interpreters/tags.js';
import type { Cause } from './backtracking.js';
import type { Candidate, Candidates, ChoiceEnvironment } from './candidates.js';
import { NoChoice } from './no-choice.js';
import type { Demand, WheelProvider } from './provider.js';

type Causes = readonly Cause<Demand, Candidate>[];

/** What there was to choose from. */
interface Looked {
  wheels: readonly Wheel[];
  environment: ChoiceEnvironment;
  candidates: Candidates;
  provider: WheelProvider;
}

/** Says why requirements cannot be met together, and in which words pip says it: people look for these. */
export function explain(causes: Causes, looked: Looked): NoChoice {
  const { environment, provider } = looked;
  const pythons = causes.flatMap(({ requirement, parent }) =>
    requirement.kind === 'python' && parent && !provider.isMetByPython(requirement)
      ? [{ wanted: requirement.text, wheel: wheelOf(parent) }]
      : [],
  );
  if (pythons.length > 0) {
    const version = environment.pythonVersion;
    const [first] = pythons;
    const words =
      pythons.length === 1
        ? [
            `ERROR: Package '${first?.wheel?.name ?? ''}' requires a different Python: ${version} not in '${first?.wanted ?? ''}'`,
          ]
        : [
            `ERROR: Packages require a different Python. ${version} not in:`,
            ...pythons.map(({ wanted, wheel }) => `'${wanted}' (required by ${wheel?.name ?? ''})`),
          ];
    const asking = pythons.map(({ wanted, wheel }) => `${wheel?.file ?? ''} asks for ${wanted}`);
    return new NoChoice('python', `${asking.join(', ')}, and this is Python ${version}`, {
      ...{ words, wheels: pythons.flatMap(({ wheel }) => wheel ?? []) },
      requiresPython: pythons.map(({ wanted }) => wanted),
      requirements: causes.flatMap(({ parent }) => (parent ? [parent.project] : [])),
    });
  }
  const [only, other] = causes;
  if (only && !other) return unmet(only, looked);
  return conflict(causes, looked);
}

/** A requirement that no wheel meets. */
function unmet({ requirement, parent }: Causes[number], looked: Looked): NoChoice {
  const { wheels, environment, candidates, provider } = looked;
  const text = textOf(requirement);
  const [project = ''] = requirement.identifier.split('[', 1);
  const ofName = wheels.filter(({ name }) => name === project);
  const limit = provider.limited.get(project);
  const shown = parent ? `${text} (from ${parent.project})` : text;
  const versions = candidates.versionsOf(project).map(formatVersion).join(', ') || 'none';
  const facts = {
    requirements: [text],
    project,
    words: limit
      ? conflictWords([{ requirement, parent }], looked)
      : [
          `ERROR: Could not find a version that satisfies the requirement ${shown} (from versions: ${versions})`,
          `ERROR: No matching distribution found for ${shown}`,
        ],
  };
  const by = parent ? ` by ${wheelOf(parent)?.file ?? parent.project}` : '';
  const within = limit ? ', within the constraints,' : '';
  const asked = `${describeDemand(requirement)} is required${by}${within}`;
  if (ofName.length > 0 && !ofName.some((wheel) => fits(wheel, environment)))
    return new NoChoice('python', `${asked} and its wheels are for other interpreters`, {
      ...facts,
      wheels: ofName,
    });
  const passed = [...candidates.warnings].filter((warning) =>
    ofName.some(({ file }) => warning.startsWith(`${file} `)),
  );
  const there =
    ofName.length === 0
      ? 'there is no wheel of it'
      : `there is only ${ofName.map(({ file }) => file).join(', ')}`;
  return new NoChoice('missing', [`${asked} and ${there}`, ...passed].join('. '), {
    ...facts,
    wheels: ofName,
  });
}

function conflict(causes: Causes, looked: Looked): NoChoice {
  const asking = causes.map(
    ({ requirement, parent }) =>
      `${parent ? (wheelOf(parent)?.file ?? parent.project) : 'requirements.txt'} asks for ${describeDemand(requirement)}`,
  );
  const limited = limitsOf(causes, looked).map((name) => `the constraints limit ${name}`);
  return new NoChoice(
    'conflict',
    `versions do not go together: ${[...new Set([...asking, ...limited])].join(', ')}`,
    {
      requirements: [...new Set(causes.map(({ requirement }) => textOf(requirement)))],
      words: conflictWords(causes, looked),
    },
  );
}

function conflictWords(causes: Causes, looked: Looked): string[] {
  const names = causes.map(({ requirement, parent }) =>
    parent ? `${parent.project}==${formatVersion(parent.version)}` : textOf(requirement),
  );
  const list = [...new Set(names)].sort();
  const last = list.pop() ?? '';
  const all = list.length === 0 ? last : `${list.join(', ')} and ${last}`;
  return [
    `ERROR: Cannot install ${all} because these package versions have conflicting dependencies.`,
    'The conflict is caused by:',
    ...causes.map(({ requirement, parent }) =>
      parent
        ? `    ${parent.project} ${formatVersion(parent.version)} depends on ${textOf(requirement)}`
        : `    The user requested ${textOf(requirement)}`,
    ),
    ...limitsOf(causes, looked).map((name) => `    The user requested (constraint) ${name}`),
    'ERROR: ResolutionImpossible',
  ];
}

function limitsOf(causes: Causes, { provider }: Looked): string[] {
  const names = causes.map(({ requirement }) => requirement.identifier);
  return [...new Set(names)].flatMap((name) => {
    const limit = provider.limited.get(name);
    return limit
      ? [
          name +
            limit.specifiers
              .map(({ operator, text, hasWildcard }) => `${operator}${text}${hasWildcard ? '.*' : ''}`)
              .join(','),
        ]
      : [];
  });
}

function wheelOf({ base, source }: Candidate): Wheel | undefined {
  return (base?.source ?? source)?.wheel;
}

/** As a message names it, with what pip does not say. */
function describeDemand(demand: Demand): string {
  const text = textOf(demand);
  return demand.kind === 'nothing' ? `${text}, whose METADATA is of another project or version` : text;
}

function textOf(demand: Demand): string {
  if (demand.kind === 'candidate') {
    const { candidate } = demand;
    return `${candidate.identifier}==${formatVersion(candidate.version)}`;
  }
  return demand.kind === 'python' ? `Python ${demand.text}` : demand.text;
}
