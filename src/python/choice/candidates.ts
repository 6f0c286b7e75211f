import {
  compareVersions,
  meets,
  namesPreRelease,
  isPreRelease,
  parseVersion,
  type Specifier,
  type Version,
} from '../../package/pep440.js';
import { evaluateMarker, parseDependency, type Dependency } from '../../package/pep508.js';
import type { Wheel } from '../../package/types.js';
import type { WheelMetadata } from '../../package/wheel-metadata.js';
import { normalizeProjectName } from '../../package/wheel-name.js';
import type { Matches } from './backtracking.js';
import { NoChoice } from './no-choice.js';

/** What wheels are chosen for. */
export interface ChoiceEnvironment {
  /** Tags that it takes, best first. */
  tags: ReadonlySet<string>;
  /** Environment markers of PEP 508. */
  markers: Readonly<Record<string, string>>;
  /** For example `3.11.7`. */
  pythonVersion: string;
}

/** A wheel, and what it says of itself. */
export interface ReadWheel {
  wheel: Wheel;
  /** Undefined where the wheel cannot be read. */
  metadata: (WheelMetadata & { name?: string; version?: string }) | undefined;
  /** Why it cannot be read. */
  fault?: unknown;
  /** Hex, by algorithm, those that requirements name; undefined where hashes are not looked at. */
  digests: ReadonlyMap<string, string> | undefined;
}

/** Who asks for a wheel first: it is installed as they write it, and held to the hashes that they name. */
export interface Template {
  /** The project as they write it. */
  writtenName: string;
  /** Whether it is a line of the requirements file. */
  isRoot: boolean;
  hashes: readonly string[];
}

/** A wheel that may be chosen, or the same with extras, or the interpreter. */
export interface Candidate {
  /** The project, with its extras. */
  readonly identifier: string;
  readonly project: string;
  readonly version: Version;
  /** None for the interpreter. */
  readonly source?: ReadWheel;
  readonly template?: Template;
  readonly extras: readonly string[];
  /** The same without extras. */
  readonly base?: Candidate;
}

/** A limit on versions, of all constraints of one project. */
export interface Limit {
  specifiers: readonly Specifier[];
  /** Hashes of each line that names some. */
  hashes: readonly string[] | undefined;
  /** Wheels that are named by URLs. */
  wheels: readonly NamedWheel[];
}

/** A wheel that a URL names. */
export interface NamedWheel {
  file: string;
  /** SHA-256, hex. */
  hash: string;
}

/** How candidates are looked for. */
export interface Search {
  specifiers: readonly Specifier[];
  template: Template;
  extras: readonly string[];
  incompatible: readonly Candidate[];
}

interface Fitting {
  source: ReadWheel;
  version: Version;
  rank: number;
  build: [number: bigint, rest: string] | undefined;
}

/** The wheels of a folder as candidates: as pip's finder orders them, and passed over where pip passes over them. */
export class Candidates {
  readonly #environment: ChoiceEnvironment;
  readonly #sources: readonly ReadWheel[];
  readonly #byProject = new Map<string, Fitting[]>();
  readonly #made = new Map<string, Candidate | 'of another project'>();
  readonly #read = new Map<string, Dependency | undefined>();
  readonly #met = new Map<string, boolean | undefined>();
  readonly #withExtras = new Map<Candidate, Map<string, Candidate>>();
  readonly #takesPreReleases: boolean;
  readonly #requiresHashes: boolean;
  /** What pip warns of, each once. */
  readonly warnings = new Set<string>();

  constructor(
    sources: readonly ReadWheel[],
    environment: ChoiceEnvironment,
    { takesPreReleases, requiresHashes }: { takesPreReleases: boolean; requiresHashes: boolean },
  ) {
    this.#environment = environment;
    this.#sources = sources;
    this.#takesPreReleases = takesPreReleases;
    this.#requiresHashes = requiresHashes;
    const ranks = new Map([...environment.tags].map((tag, index) => [tag, index]));
    for (const source of sources) {
      const { name, version: written, tags, build } = source.wheel;
      const version = parseVersion(written);
      const rank = Math.min(...tags.map((tag) => ranks.get(tag) ?? Infinity));
      if (!version || rank === Infinity) continue;
      const fitting = { source, version, rank, build: buildOf(build) };
      this.#byProject.set(name, [...(this.#byProject.get(name) ?? []), fitting]);
    }
    for (const all of this.#byProject.values()) all.sort(byPreference);
  }

  /** Versions of a project that this interpreter takes, earliest first. */
  versionsOf(project: string): Version[] {
    const versions = (this.#byProject.get(project) ?? []).map(({ version }) => version).reverse();
    return versions.filter(
      (one, index) => index === 0 || compareVersions(one, versions[index - 1] ?? one) !== 0,
    );
  }

  /** Those that meet all specifiers, best first, of each version one. */
  find(project: string, search: Search): Matches<Candidate> {
    const all = this.#byProject.get(project) ?? [];
    const meeting = all.filter(({ version }) => search.specifiers.every((one) => meets(version, one)));
    const isFinal = ({ version }: Fitting) => !isPreRelease(version);
    const takesAll = this.#takesPreReleases || namesPreRelease(search.specifiers) || !meeting.some(isFinal);
    const admitted = takesAll ? meeting : meeting.filter(isFinal);
    const iterate = () => this.#each(admitted, search);
    let isEmpty: boolean | undefined;
    return {
      [Symbol.iterator]: iterate,
      get isEmpty() {
        return (isEmpty ??= iterate().next().done === true);
      },
    };
  }

  *#each(
    admitted: readonly Fitting[],
    { template, extras, incompatible }: Search,
  ): Generator<Candidate, void> {
    let found: Version | undefined;
    for (const { source, version } of admitted) {
      if (found && compareVersions(found, version) === 0) continue;
      const base = this.#make(source, template);
      if (base === 'of another project') continue;
      found = version;
      if (typeof base === 'object' && 'unreadable' in base) {
        this.warnings.add(
          `${source.wheel.file} is passed over, as pip does: its requirement ${JSON.stringify(base.unreadable)} cannot be read`,
        );
        continue;
      }
      const candidate = extras.length === 0 ? base : this.withExtras(base, extras);
      if (!incompatible.includes(candidate)) yield candidate;
    }
  }

  /** The wheel of this name, which a URL names; undefined where its METADATA is of another project or version. */
  named({ file, hash }: NamedWheel, template: Template): Candidate | undefined {
    const source = this.#sources.find(({ wheel }) => wheel.file === file);
    if (!source) {
      throw new NoChoice(
        'outside',
        `${template.writtenName} is to be taken from ${file}, which is not in the package`,
        {
          requirements: [template.writtenName],
        },
      );
    }
    const { tags } = source.wheel;
    if (!tags.some((tag) => this.#environment.tags.has(tag))) {
      throw new NoChoice('python', `${file} is not a supported wheel on this platform`, {
        wheels: [source.wheel],
      });
    }
    const made = this.#make(source, template, hash);
    if (made === 'of another project') return undefined;
    if (!('unreadable' in made)) return made;
    throw new NoChoice('wheel', `${file} has a requirement that cannot be read: ${made.unreadable}`, {
      wheels: [source.wheel],
    });
  }

  /** The candidate of a wheel, which is held to hashes first, and read as pip reads it. */
  #make(
    source: ReadWheel,
    template: Template,
    hash = '',
  ): Candidate | 'of another project' | { unreadable: string } {
    const { wheel, metadata, fault } = source;
    // The same wheel by its name and by a URL are two to pip: what is asked for by a URL only that meets.
    const key = `${wheel.file}#${hash}`;
    const known = this.#made.get(key);
    if (known) return known;
    this.#checkHash(source, template);
    if (!metadata) throw fault;
    // What a URL names is of the version that its METADATA says.
    const version = parseVersion((hash === '' ? undefined : metadata.version) ?? wheel.version);
    const isMeant = version !== undefined && isOf(wheel, version, metadata);
    const unreadable = isMeant ? this.#unreadableIn(metadata) : undefined;
    if (unreadable !== undefined) return { unreadable };
    const { name: project } = wheel;
    const candidate = isMeant
      ? { identifier: project, project, version, source, template, extras: [] }
      : 'of another project';
    this.#made.set(key, candidate);
    return candidate;
  }

  withExtras(base: Candidate, extras: readonly string[]): Candidate {
    const sorted = [...new Set(extras)].sort();
    const identifier = `${base.project}[${sorted.join(',')}]`;
    const known = this.#withExtras.get(base) ?? new Map<string, Candidate>();
    this.#withExtras.set(base, known);
    const candidate = known.get(identifier) ?? {
      ...{ identifier, project: base.project, version: base.version, extras: sorted, base },
    };
    known.set(identifier, candidate);
    return candidate;
  }

  /** What a wheel asks for, as far as it holds: with extras what they ask for, and what is asked for without any. */
  *dependenciesOf({ source, base, project, extras }: Candidate): Generator<Dependency, void> {
    const { metadata, wheel } = base?.source ?? source ?? {};
    if (!metadata || !wheel) return;
    const offered = metadata.extras ?? [];
    const asked = extras.filter((extra) => offered.includes(extra));
    for (const extra of extras.filter((one) => !offered.includes(one))) {
      this.warnings.add(`${project} ${wheel.version} does not provide the extra '${extra}'`);
    }
    for (const line of metadata.requires) {
      const dependency = this.#readDependency(line);
      if (dependency && this.#applies(dependency, asked.length === 0 ? [''] : asked)) yield dependency;
    }
  }

  /** Whether a line of the requirements holds. */
  isMet(line: { marker?: string | undefined }): boolean {
    return this.#applies(line, ['']);
  }

  #applies({ marker }: { marker?: string | undefined }, extras: readonly string[]): boolean {
    if (marker === undefined) return true;
    return extras.some((extra) => {
      const isMet = this.#isMarkerMet(marker, extra);
      if (isMet !== undefined) return isMet;
      throw new NoChoice('wheel', `the marker ${JSON.stringify(marker)} compares what cannot be compared`);
    });
  }

  /** Evaluated once: a project with many extras asks the same of each of its lines. */
  #isMarkerMet(marker: string, extra: string): boolean | undefined {
    const key = `${extra};${marker}`;
    if (!this.#met.has(key))
      this.#met.set(key, evaluateMarker(marker, { ...this.#environment.markers, extra }));
    return this.#met.get(key);
  }

  /** Read once: projects are gone through again and again. */
  #readDependency(line: string): Dependency | undefined {
    if (!this.#read.has(line)) this.#read.set(line, parseDependency(line.trim()));
    return this.#read.get(line);
  }

  /** The first requirement that cannot be read: such a wheel pip does not take. It evaluates the markers of all others. */
  #unreadableIn({ requires, extras = [''] }: WheelMetadata): string | undefined {
    return requires.find((line) => {
      const dependency = this.#readDependency(line);
      if (dependency) this.#applies(dependency, extras);
      return !dependency;
    });
  }

  #checkHash({ wheel, digests }: ReadWheel, { hashes, writtenName }: Template): void {
    const requirements = [writtenName];
    if (hashes.length === 0) {
      if (!this.#requiresHashes) return;
      const why = `where one requirement has a hash all need one, and ${writtenName} has none`;
      throw new NoChoice('hash', `${why}: add --hash=sha256:… with that of ${wheel.file}`, { requirements });
    }
    if (!digests) return;
    const isListed = hashes.some((hash) => {
      const [algorithm = '', digest = ''] = hash.includes(':') ? hash.split(':') : ['sha256', hash];
      return digests.get(algorithm) === digest;
    });
    if (isListed) return;
    const why = `${wheel.file} has none of the hashes that are required of ${writtenName}`;
    throw new NoChoice('hash', why, { requirements, wheels: [wheel] });
  }
}

function buildOf(tag: string | undefined): Fitting['build'] {
  const [, number, rest = ''] = /^(\d+)(.*)$/s.exec(tag ?? '') ?? [];
  return number === undefined ? undefined : [BigInt(number), rest];
}

function byPreference(a: Fitting, b: Fitting): number {
  return compareVersions(b.version, a.version) || a.rank - b.rank || byBuild(b.build, a.build);
}

/** A build tag is a number and what follows it; a wheel without one comes before all that have one (PEP 427). */
function byBuild(a: Fitting['build'], b: Fitting['build']): number {
  if (!a || !b) return Number(a !== undefined) - Number(b !== undefined);
  const [left, right] = a[0] === b[0] ? [a[1], b[1]] : [a[0], b[0]];
  return Number(left > right) - Number(left < right);
}

/** Whether METADATA is of the project and version that the file is named after, where it says so. */
function isOf(
  wheel: Wheel,
  version: Version,
  { name, version: written }: { name?: string; version?: string },
): boolean {
  const found = written === undefined ? undefined : parseVersion(written);
  const isNamed = name === undefined || normalizeProjectName(name) === wheel.name;
  return isNamed && (!found || compareVersions(found, version) === 0);
}
