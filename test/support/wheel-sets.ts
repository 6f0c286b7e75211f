/** One set of wheels with what is required of it: only names and METADATA matter, so that is all it has. */
export interface WheelSet {
  /** METADATA by file name. */
  wheels: Record<string, string>;
  /** Text of the requirements file; `file:///elsewhere/` stands for the folder of the wheels, `@SHA256 file@` for a hash. */
  requirements: string;
  /** Text of a file with constraints; empty for none. */
  constraints: string;
}

/** A small generator of numbers: the same seed gives the same sets, here and in CI. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to `sides` - 1 (mulberry32). */
  roll(sides: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  }

  one<T>(items: readonly T[]): T {
    return items[this.roll(items.length)] as T;
  }

  /** True once in so many. */
  once(inSoMany: number): boolean {
    return this.roll(inSoMany) === 0;
  }

  some<T>(items: readonly T[], most: number): T[] {
    return Array.from({ length: this.roll(most + 1) }, () => this.one(items));
  }
}

/** Each project is written in several ways; all mean the same. */
const PROJECTS = [
  ['alpha', 'Alpha', 'ALPHA'],
  ['beta', 'Beta'],
  ['gamma-ray', 'gamma_ray', 'Gamma.Ray'],
  ['delta', 'delta'],
  ['eps', 'eps'],
  ['zeta', 'Zeta'],
  ['eta', 'eta'],
  ['theta', 'theta'],
] as const;

const PLAIN = ['1.0', '1.1', '1.2', '2.0', '2.1', '3.0'];
const ODD = [
  ...[
    '1.0a1',
    '1.1rc1',
    '2.0b2',
    '2.0.dev3',
    '3.0rc1',
    '4.0a1',
    '1.0.post1',
    '2.0.post2',
    '1.0+cpu',
    '1.0+cu118',
  ],
  ...['1.0.0', '1!0.5', '0.9', '2.0a1.dev1', '1.0.post1.dev2', '2021.10.1', '10.0', '2.1+local.2', '3', '0'],
];
const OPERATORS = ['==', '!=', '!=', '<', '<=', '>', '>=', '>=', '>=', '>=', '~='];
const SPECIAL = [
  ...[
    '==1.*',
    '!=1.*',
    '==2.*',
    '===1.0',
    '~=1.0',
    '>=1.0a1',
    '<2.0b1',
    '>1.0',
    '<=1.0',
    '==1.0+cpu',
    '>=1.dev0',
  ],
  ...[
    '!=2.0a1',
    '<3.0.dev0',
    '>=1!0',
    '== 1.0',
    '>= 1.0 , < 3',
    '===1.0a1',
    '>=2.0.post1',
    '>1.0.post0',
    '~=1.0a1',
  ],
  ...[
    '!=3.0',
    '==1.0.*',
    '<1!0',
    '>=0,<10',
    '>=1,<3,!=2.0',
    '==2.0b2',
    '~=2.0.0',
    '(>=1.0)',
    '(>=1,<2)',
    '>=1,',
  ],
];
/** What packaging refuses: the wheel is passed over. */
const UNREADABLE = [
  '>=5.1.*',
  '>=1.0.*',
  '=>1.0',
  '1.0',
  '>=1.0 <2',
  '~=1',
  '<1.0+cpu',
  '==1.0.*.2',
  '>=v1..0',
  '<>1',
];
const EXTRAS = ['fast', 'gpu', 'all', 'Dev_Tools', 'none'];
const MARKERS = [
  ...[
    'python_version >= "3.8"',
    'python_version < "3"',
    'sys_platform == "linux"',
    'sys_platform == "win32"',
  ],
  ...[
    'platform_system != "Linux"',
    'os_name == "posix" and python_version > "3.0"',
    '"linux" in sys_platform',
  ],
  ...[
    'python_full_version >= "3.8.0"',
    'implementation_name == "cpython"',
    "python_version in '3.7 3.11 3.12'",
  ],
  ...[
    'platform_machine == "x86_64" or platform_machine == "aarch64"',
    'python_version == "3.*"',
    '"3" < python_version',
  ],
  ...[
    '(sys_platform == "darwin" or os_name == "nt") and python_version > "2"',
    "sys_platform not in 'win32 darwin'",
  ],
  ...['python_version ~= "3.8"', 'python_version >= "3.8.*"', 'platform_python_implementation == "PyPy"'],
  ...[
    'python_full_version < "3.99.0b1"',
    'os.name == "posix"',
    'platform_version > ""',
    'sys_platform > "a"',
  ],
  ...[
    'python_version != "3.11.*"',
    'python_version == "3.11"',
    'implementation_version >= "3.9"',
    'extra == ""',
  ],
];
const UNREADABLE_MARKERS = [
  'python_version >= 3.8',
  'python == "3"',
  'extra = "fast"',
  'os_name == "posix" or',
];
const PYTHONS = [
  '>=3.8',
  '>=3.8',
  '>=3.7',
  '>=3.6',
  '>=3',
  '>=3.6,!=3.7.*',
  '<4',
  '>=3.99',
  '<3',
  '~=3.0',
  '>=3.8.0',
  '==3.*',
  '!=3.11.*',
  '>3.7',
  '*',
  '>=3.8.*',
];

/** How a set is made: of interpreters only their tags differ. */
export interface SetMaking {
  /** Tags that the interpreter takes, best first, a few. */
  tags: readonly string[];
  /** Tags that it does not take. */
  foreign: readonly string[];
}

/** A set of its number. Each stands for a kind: some have odd versions, some hashes, some constraints, most several of these. */
export function wheelSet(number: number, making: SetMaking): WheelSet {
  return new SetMaker(new Dice(number * 2_654_435_761 + 17), making).make();
}

class SetMaker {
  readonly #dice: Dice;
  readonly #making: SetMaking;
  readonly #projects: (typeof PROJECTS)[number][];
  readonly #isOdd: boolean;
  readonly #wheels: WheelSet['wheels'] = {};

  constructor(dice: Dice, making: SetMaking) {
    this.#dice = dice;
    this.#making = making;
    this.#projects = PROJECTS.slice(0, 2 + dice.roll(7));
    this.#isOdd = dice.once(2);
  }

  make(): WheelSet {
    const dice = this.#dice;
    const wheels = this.#wheels;
    for (const [project] of this.#projects) {
      if (dice.once(40)) continue; // of which there is none
      for (const version of this.#versions()) this.#addWheels(project, version);
    }
    const files = Object.keys(wheels);
    const withHashes = files.length > 0 && dice.once(12);
    const lines = [
      ...(dice.once(15) ? ['--pre'] : []),
      ...(dice.once(60) ? ['--require-hashes'] : []),
      ...(dice.once(40) ? ['--prefer-binary'] : []),
      ...Array.from({ length: 1 + dice.roll(4) }, () => this.#rootLine(files, withHashes)),
    ];
    const constraints = dice.once(5)
      ? Array.from({ length: 1 + dice.roll(3) }, () => this.#constraint())
      : [];
    const text = (all: string[]) => (all.length === 0 ? '' : `${all.join('\n')}\n`);
    return { wheels, requirements: text(lines), constraints: text(constraints) };
  }

  #versions(): string[] {
    const dice = this.#dice;
    const many = 1 + dice.roll(5);
    const pool = this.#isOdd ? [...PLAIN, ...ODD] : PLAIN;
    const found = new Set(Array.from({ length: many }, () => dice.one(pool)));
    // Of two ways to write one version pip takes the file that the system lists last.
    if (found.has('1.0')) found.delete('1.0.0');
    if (found.has('3.0')) found.delete('3');
    return [...found];
  }

  #addWheels(project: string, version: string): void {
    const dice = this.#dice;
    const stem = `${project.replaceAll('-', '_')}-${version}`;
    const { tags, foreign } = this.#making;
    // Of two wheels that are equally good pip takes the file that the system lists last.
    const unlike = tags.filter((tag) => !tag.startsWith('py2.'));
    const add = (build: string, tag: string) => {
      this.#wheels[`${stem}${build}-${tag}.whl`] = this.#metadata(project, version);
    };
    if (dice.once(25)) add('', dice.one(foreign));
    else if (dice.once(8)) for (const tag of new Set([dice.one(unlike), dice.one(unlike)])) add('', tag);
    else if (dice.once(10))
      for (const build of new Set(['', ...dice.some(['-1', '-2', '-10', '-1a', '-1b'], 3)]))
        add(build, 'py3-none-any');
    else add('', dice.once(4) ? dice.one(tags) : 'py3-none-any');
  }

  #metadata(project: string, version: string): string {
    const dice = this.#dice;
    const lines = ['Metadata-Version: 2.1', `Name: ${dice.once(120) ? 'other' : project}`];
    lines.push(`Version: ${dice.once(80) ? '9.9' : version}`);
    if (dice.once(5)) lines.push(`Requires-Python: ${dice.one(PYTHONS)}`);
    for (const extra of new Set(dice.some(EXTRAS, 3))) lines.push(`Provides-Extra: ${extra}`);
    for (const _ of dice.some(PROJECTS, dice.once(4) ? 4 : 2))
      lines.push(`Requires-Dist: ${this.#dependency()}`);
    return `${lines.join('\n')}\n\n`;
  }

  #name(): string {
    // Now and then a project of which there is no wheel.
    return this.#dice.one(this.#dice.once(40) ? PROJECTS.flat() : this.#projects.flat());
  }

  #specifier(): string {
    const dice = this.#dice;
    if (dice.once(2)) return '';
    if (dice.once(4)) return dice.one(SPECIAL);
    const version = () => dice.one(this.#isOdd ? [...PLAIN, ...ODD] : PLAIN);
    const clause = () => {
      const [operator, wanted] = [dice.one(OPERATORS), version()];
      return `${operator}${/^[<>~]/.test(operator) ? wanted.replace(/\+.*/, '') : wanted}`;
    };
    return dice.once(5) ? `${clause()},${clause()}` : clause();
  }

  #extras(): string {
    const dice = this.#dice;
    return dice.once(5)
      ? `[${[...new Set([dice.one(EXTRAS), dice.one(EXTRAS)])].join(dice.once(2) ? ',' : ' , ')}]`
      : '';
  }

  #dependency(): string {
    const dice = this.#dice;
    const made = Object.keys(this.#wheels);
    if (made.length > 0 && dice.once(40))
      return `${this.#reference(dice.one(made))}${dice.once(4) ? ` ; ${dice.one(MARKERS)}` : ''}`;
    const name = this.#name();
    if (dice.once(150)) return `${name}${dice.one(UNREADABLE)}`;
    const markers = [
      ...(dice.once(4) ? [`extra == "${dice.one(EXTRAS)}"`] : []),
      ...(dice.once(5) ? [dice.one(MARKERS)] : []),
      ...(dice.once(250) ? [dice.one(UNREADABLE_MARKERS)] : []),
    ];
    const marker = markers.length === 0 ? '' : ` ; ${markers.join(dice.once(4) ? ' or ' : ' and ')}`;
    return `${name}${this.#extras()}${dice.once(3) ? ' ' : ''}${this.#specifier()}${marker}`;
  }

  /** A wheel by its URL, now and then with the hash of another. */
  #reference(file: string): string {
    const dice = this.#dice;
    const hashed = dice.once(12) ? dice.one(Object.keys(this.#wheels)) : file;
    return `${file.split('-', 1)[0] ?? ''}${this.#extras()} @ file:///elsewhere/${encodeURIComponent(file)}#sha256=@SHA256 ${hashed}@`;
  }

  #rootLine(files: readonly string[], withHashes: boolean): string {
    const dice = this.#dice;
    if (files.length > 0 && dice.once(15)) {
      return `${this.#reference(dice.one(files))}${dice.once(4) ? ` ; ${dice.one(MARKERS)}` : ''}`;
    }
    const hashed = withHashes && !dice.once(5) ? dice.one(files) : undefined;
    const name = hashed?.split('-', 1)[0] ?? this.#name();
    const pinned =
      hashed !== undefined && !dice.once(6) ? `==${hashed.split('-')[1] ?? ''}` : this.#specifier();
    const marker = dice.once(6) ? ` ; ${dice.one(MARKERS)}` : '';
    const hash =
      hashed === undefined ? '' : ` --hash=sha256:@SHA256 ${dice.once(8) ? dice.one(files) : hashed}@`;
    return `${name}${this.#extras()}${pinned.replace(/[()]/g, '').replace(/,$/, '')}${marker}${hash}`;
  }

  #constraint(): string {
    const dice = this.#dice;
    const marker = dice.once(4) ? ` ; ${dice.one(MARKERS)}` : '';
    return `${this.#name()}${this.#specifier().replace(/[()]/g, '').replace(/,$/, '') || '>=0'}${marker}`;
  }
}
