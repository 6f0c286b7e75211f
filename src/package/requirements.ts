import { RunnerError } from '../errors.js';
import { parseDependency } from './pep508.js';
import { requirementLines } from './requirement-lines.js';
import { listed, shown } from './text.js';
import type { Requirement } from './types.js';
import { normalizeProjectName, parseWheelName } from './wheel-name.js';

/** A line that would make pip reach outside the package, or that cannot be read. */
export interface RefusedLine {
  /** Where it stands, when that is another file than the one reported on. */
  file?: string;
  line: number;
  text: string;
  why: string;
}

/** What a requirements file says. */
export interface RequirementsReading {
  requirements: Requirement[];
  refused: RefusedLine[];
  /** Files of the package that it includes, in their order. */
  includes: IncludedFile[];
  /** Options that change which wheels are chosen: `--pre`, `--require-hashes`. */
  options: string[];
}

export interface IncludedFile {
  /** As written. */
  file: string;
  /** Constraints limit versions and require nothing, but can reach out like others. */
  kind: 'requirements' | 'constraints';
  /** How many requirements stand before it. */
  before: number;
}

/** Options that make pip look elsewhere, or at what is no wheel of the package. */
const REACHING = new Set(['-i', '--index-url', '--extra-index-url', '-e', '--editable', '--trusted-host']);
/** Options that change nothing, since only the package's wheels are looked at; true for those with a value. */
const HARMLESS: ReadonlyMap<string, boolean> = new Map([
  ['--no-index', false],
  ['--prefer-binary', false],
  ['--require-hashes', false],
  ['--pre', false],
  ['--only-binary', true],
  ['--no-binary', true],
  ['--use-feature', true],
]);
/** Of these, those that change the choice among the wheels of the package. */
const CHOOSING = new Set(['--pre', '--require-hashes']);
const INCLUDES = new Set(['-r', '--requirement', '-c', '--constraint']);
const FIND_LINKS = new Set(['-f', '--find-links']);
/** For messages alone: the project, extras and what follows them. */
const PARTS = /^(?<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[(?<extras>[^\]]*)\])?\s*(?<rest>.*)$/s;
const URL_LIKE = /^(?:[a-z][a-z0-9+.-]*:\/\/|(?:git|hg|svn|bzr)\+|file:)/i;
/** What pip takes for a file when one of that name is there. */
const ARCHIVE_NAME = /\.(?:whl|zip|egg|tar|tgz|tbz|txz|tlz|tar\.\w+)$/i;
/** pip puts variables of the environment into a line before it reads it. */
const VARIABLE = /\$\{[A-Z0-9_]+\}/;
/** What nobody sees who reads the file. */
const INVISIBLE = /[\p{Cc}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/u;
/** Far more than any package has; whatever is said of so many lines nobody reads. */
const MAX_LINES = 10_000;
/** Room for a hundred hashes. */
const MAX_LINE_CHARACTERS = 16_384;

const OUTSIDE = 'would make pip look outside the package';
const A_URL = 'is a URL: an offline package installs from its wheels alone';

/** Reads the text of a requirements file: continued lines, comments, hashes, markers (pip's format, PEP 508). */
export function parseRequirements(text: string): RequirementsReading {
  const reading: RequirementsReading = { requirements: [], refused: [], includes: [], options: [] };
  const lines = requirementLines(text);
  for (const { line, text: whole } of lines.slice(0, MAX_LINES)) {
    const why = readLine(whole, line, reading);
    if (why !== undefined) reading.refused.push({ line, text: whole, why });
  }
  const tooMany = lines[MAX_LINES];
  if (tooMany)
    reading.refused.push({ ...tooMany, why: `comes after ${MAX_LINES} others, more than are read` });
  return reading;
}

/** Adds what a line says to the reading. @returns why it is refused, or undefined */
function readLine(whole: string, line: number, reading: RequirementsReading): string | undefined {
  if (whole.length > MAX_LINE_CHARACTERS) return `is longer than ${MAX_LINE_CHARACTERS} characters`;
  if (INVISIBLE.test(whole)) return 'has a character in it that cannot be seen';
  if (VARIABLE.test(whole)) return 'has a variable of the environment in it';
  if (whole.startsWith('-')) return readOptions(whole, reading);
  if (URL_LIKE.test(whole)) return A_URL;
  if (/^\.{0,2}[\\/]|^[^@]*\.whl(?:\s|$)|^[A-Za-z]:[\\/]/.test(whole))
    return 'is a path: name the project instead';
  const requirement = parseRequirement(whole, line);
  if (typeof requirement === 'string') return requirement;
  reading.requirements.push(requirement);
  return undefined;
}

/**
 * The wheel that a URL names, if a hash says which it is: what `pip freeze` writes for a project that was installed from a
 * wheel, and with it the SDK's packaging tool. The place is on the machine of the maker; the wheel itself is in the package,
 * and nothing is taken from elsewhere. Without a hash nothing tells that it is the same.
 */
export function wheelAt(
  url: string,
  project: string,
): { file: string; version: string; hash: string } | undefined {
  const { file = '', hash = '' } = (WHEEL_URL.exec(url)?.groups ?? {}) as Record<string, string | undefined>;
  const wheel = parseWheelName(decodeUrlPart(file), 0);
  if (wheel?.name !== project) return undefined;
  return { file: wheel.file, version: wheel.version, hash: hash.toLowerCase() };
}

/** `file:///folder/project-1.0-py3-none-any.whl#sha256=…`, and the same of a server. */
const WHEEL_URL =
  /^(?:file|https?):\S*?[\\/](?<file>[^\s\\/#?]+\.whl)#(?:\S*&)?sha256=(?<hash>[0-9a-f]{64})(?:&\S*)?$/i;

function decodeUrlPart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A line of options. pip obeys all that stand on one line, so all are looked at. */
function readOptions(whole: string, reading: RequirementsReading): string | undefined {
  const words = splitWords(whole);
  if (!words) return 'has a quote or a backslash that does not end';
  for (let at = 0; at < words.length; at++) {
    const [option, attached] = splitOption(words[at] ?? '');
    if (REACHING.has(option)) return OUTSIDE;
    const takesValue = HARMLESS.get(option) ?? (INCLUDES.has(option) || FIND_LINKS.has(option) || undefined);
    if (takesValue === undefined) return 'is an option that an offline package cannot use';
    if (!takesValue) {
      if (attached !== undefined) return 'is an option that cannot be read';
      if (CHOOSING.has(option)) reading.options.push(option);
      continue;
    }
    const value = attached ?? words[++at];
    if (value === undefined || value === '') return 'is an option without its value';
    if (FIND_LINKS.has(option)) {
      if (!isInside(value)) return OUTSIDE;
      if (value.includes('#')) return 'has a "#" in the name of its folder: a comment has a blank before it';
    }
    if (!INCLUDES.has(option)) continue;
    if (!isInside(value)) return 'includes a file outside the package';
    if (whole.includes('\\')) return 'has a backslash, which pip leaves out: write folders with "/"';
    // Of several includes on one line pip reads the first.
    if (words.length > (attached === undefined ? 2 : 1))
      return 'includes a file and says more: use a line for each';
    const kind = option === '-r' || option === '--requirement' ? 'requirements' : 'constraints';
    reading.includes.push({ file: value, kind, before: reading.requirements.length });
  }
  return undefined;
}

const PIECE = String.raw`\\.|"(?:[^"\\]|\\.)*"|'[^']*'`;
const WORDS = new RegExp(String.raw`^(?:[^"'\\]|${PIECE})*$`, 's');
const WORD = new RegExp(String.raw`(?:[^\s"'\\]|${PIECE})+`, 'gs');
const QUOTED = /\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/gs;

/**
 * Words of a line of options as pip divides them, by Python's `shlex.split`: a backslash outside of quotes is left out,
 * and what follows it stands for itself. Undefined where a quote or an escape does not end; there pip stops.
 */
function splitWords(text: string): string[] | undefined {
  if (!WORDS.test(text)) return undefined;
  return [...text.matchAll(WORD)].map(([word]) =>
    word.replace(
      QUOTED,
      (_, escaped?: string, double?: string, single?: string) =>
        escaped ?? double?.replace(/\\(["\\])/g, '$1') ?? single ?? '',
    ),
  );
}

/** `--option=value` or `-ovalue` in its two parts. Of `-o=value` the value is `=value`, as to pip. */
function splitOption(word: string): [option: string, value: string | undefined] {
  if (!word.startsWith('--')) return [word.slice(0, 2), word.length > 2 ? word.slice(2) : undefined];
  const at = word.indexOf('=');
  return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

/** One requirement; a text that says why when it is none. */
export function parseRequirement(text: string, line = 0): Requirement | string {
  const plain = text.replace(/\s+/g, ' ').trim();
  const [wanted = '', ...options] = plain.split(/ (?=--?[a-z])/i);
  const hashes: string[] = [];
  for (const option of options) {
    const [, algorithm = '', digest = ''] = HASH.exec(option) ?? [];
    if (digest === '') return `has an option that an offline package cannot use: ${option}`;
    hashes.push((algorithm === 'sha256' ? digest : `${algorithm}:${digest}`).toLowerCase());
  }
  const found = parseDependency(wanted.trim());
  if (!found) return faultOf(wanted.trim());
  const { extras, specifier, marker, url } = found;
  const name = normalizeProjectName(found.name);
  // What lies on a server is refused in a requirements file even where the wheel is here: the file says to fetch it.
  const wheel = url !== undefined && /^file:/i.test(url) ? wheelAt(url, name) : undefined;
  if (url !== undefined && !wheel) return A_URL;
  if (ARCHIVE_NAME.test(found.name)) return 'is a path: name the project instead';
  return {
    text: wanted.trim(),
    name,
    extras: extras.map(normalizeProjectName),
    specifier: wheel ? `==${wheel.version}` : specifier,
    ...(marker !== undefined && { marker }),
    hashes: wheel ? [wheel.hash] : hashes,
    ...(wheel && { wheel: wheel.file }),
    line,
  };
}

/** A hash in an algorithm that pip takes. */
const HASH = /^--hash[= ](?:(?=sha256:.{64}$|sha384:.{96}$|sha512:.{128}$)(sha\d{3}):([0-9a-f]+))$/i;
const EXTRA = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/** What of a text keeps it from being a requirement. */
function faultOf(text: string): string {
  const { extras, rest = '' } = (PARTS.exec(text)?.groups ?? {}) as Record<string, string | undefined>;
  if (!PARTS.test(text)) return 'is not a requirement';
  if (rest.startsWith('@')) return A_URL;
  const unfit = extras?.split(',').some((extra) => !EXTRA.test(extra.trim())) ?? false;
  if (unfit && extras?.trim() !== '') return `has an extra that cannot be read: ${extras ?? ''}`;
  const [versions = '', ...marker] = rest.split(';');
  const isMarked = marker.length > 0 && parseDependency(`x${versions}`) !== undefined;
  return isMarked
    ? 'has a marker that cannot be read'
    : `has a version that cannot be read: ${versions.trim()}`;
}

/** The error of lines that reach outside or cannot be read. */
export function refusedLinesError(file: string, refused: RefusedLine[]): RunnerError {
  const list = listed(
    refused.map(
      ({ file, line, text, why }) =>
        `${file === undefined ? '' : `${shown(file)} `}line ${line} (${shown(text)}) ${why}`,
    ),
    '; ',
  );
  return new RunnerError(
    'install_failed',
    `${file} cannot be installed offline: ${list}. Take these lines out, or write each as a project and its version (name==1.0), with its wheel in the package`,
    { details: { path: file, requirements: refused.map(({ text }) => text) } },
  );
}

function isInside(file: string): boolean {
  const parts = file.trim().split(/[\\/]/);
  return !/:\/\/|^(?:git|hg|svn|bzr)\+|^[\\/]|^[A-Za-z]+:/i.test(file.trim()) && !parts.includes('..');
}
