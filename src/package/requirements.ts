import { RunnerError } from '../errors.js';
import { isMarker } from './pep508.js';
import { listed, shown } from './text.js';
import type { Requirement } from './types.js';
import { normalizeProjectName } from './wheel-name.js';

/** A line that would make pip reach outside the package, or that cannot be read. */
export interface RefusedLine {
  line: number;
  text: string;
  why: string;
}

/** What a requirements file says. */
export interface RequirementsReading {
  requirements: Requirement[];
  refused: RefusedLine[];
  /** Other requirements files of the package that it includes, as written; constraints are left to pip. */
  includes: string[];
}

/** Options that make pip look elsewhere, in every spelling. */
const REACHING =
  /^(?:-[ife]|--index-url|--extra-index-url|--find-links|--editable|--trusted-host)(?=$|[\s=]|[^\s-])/;
/** Options that change nothing, since only the package's wheels are looked at. */
const HARMLESS =
  /^--(?:no-index|prefer-binary|require-hashes|pre|only-binary|no-binary|use-feature)(?=$|[\s=])/;
const INCLUDE = /^(?<option>-r|--requirement|-c|--constraint)(?:\s*=\s*|\s+|(?=[^\s-]))(?<file>.+)$/;
const NAME =
  /^(?<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[(?<extras>[^\]]*)\])?\s*(?<rest>.*)$/s;
const URL_LIKE = /^(?:[a-z][a-z0-9+.-]*:\/\/|(?:git|hg|svn|bzr)\+|file:)/i;
const SPECIFIER = /^(?:===|~=|==|!=|<=|>=|<|>)[^\s,;()<>=!~]+$/;
/** Far more than any package has; whatever is said of so many lines nobody reads. */
const MAX_LINES = 10_000;
/** Room for a hundred hashes. */
const MAX_LINE_CHARACTERS = 16_384;

/** Reads the text of a requirements file: continued lines, comments, hashes, markers (pip's format, PEP 508). */
export function parseRequirements(text: string): RequirementsReading {
  const reading: RequirementsReading = { requirements: [], refused: [], includes: [] };
  const lines = logicalLines(text);
  for (const { line, text: long } of lines.slice(0, MAX_LINES)) {
    // Blanks mean nothing, and expressions that step over runs of them take time by their square.
    const whole = long.replace(/\s+/g, ' ');
    const { option = '', file: include } = INCLUDE.exec(whole)?.groups ?? {};
    const refuse = (why: string) => reading.refused.push({ line, text: whole, why });
    if (whole.length > MAX_LINE_CHARACTERS) refuse(`is longer than ${MAX_LINE_CHARACTERS} characters`);
    else if (include !== undefined) {
      if (!isInside(include)) refuse('includes a file outside the package');
      else if (option === '-r' || option === '--requirement') reading.includes.push(include.trim());
    } else if (HARMLESS.test(whole)) continue;
    else if (REACHING.test(whole)) refuse('would make pip look outside the package');
    else if (whole.startsWith('-')) refuse('is an option that an offline package cannot use');
    else if (URL_LIKE.test(whole)) refuse('is a URL: an offline package installs from its wheels alone');
    else if (/^\.{0,2}[\\/]|\.whl(?:\s|$)|^[A-Za-z]:[\\/]/.test(whole))
      refuse('is a path: name the project instead');
    else {
      const requirement = parseRequirement(whole, line);
      if (typeof requirement === 'string') refuse(requirement);
      else if (requirement.marker !== undefined && !isMarker(requirement.marker))
        refuse('has a marker that cannot be read');
      else reading.requirements.push(requirement);
    }
  }
  const tooMany = lines[MAX_LINES];
  if (tooMany)
    reading.refused.push({ ...tooMany, why: `comes after ${MAX_LINES} others, more than are read` });
  return reading;
}

/** One requirement; a text that says why when it is none. */
export function parseRequirement(text: string, line = 0): Requirement | string {
  const plain = text.replace(/\s+/g, ' ');
  const hashes = [...plain.matchAll(/\s--hash[=\s]sha256:([0-9a-fA-F]{64})(?=\s|$)/g)].map(([, hash = '']) =>
    hash.toLowerCase(),
  );
  const [body = '', ...markerParts] = plain.replace(/ --\S.*$/, '').split(';');
  const groups = NAME.exec(body.trim())?.groups;
  if (!groups) return 'is not a requirement';
  const { name = '', extras, rest = '' } = groups as Record<string, string | undefined>;
  if (rest.startsWith('@')) return 'is a URL: an offline package installs from its wheels alone';
  const specifier = readSpecifiers(rest);
  if (specifier === undefined) return `has a version that cannot be read: ${rest}`;
  const marker = markerParts.join(';').trim();
  return {
    text: plain.replace(/ --hash[= ]\S+/g, '').trim(),
    name: normalizeProjectName(name),
    extras: (extras ?? '')
      .split(',')
      .map((extra) => normalizeProjectName(extra.trim()))
      .filter(Boolean),
    specifier,
    ...(marker !== '' && { marker }),
    hashes,
    line,
  };
}

/** `>=1.2, <2` without blanks, with or without parentheses; undefined when it is no list of versions. */
function readSpecifiers(text: string): string | undefined {
  const clauses = text
    .trim()
    .replace(/^\((.*)\)$/, '$1')
    .split(',')
    .map((clause) => clause.trim().replace(/^([<>=!~]+) /, '$1'))
    .filter((clause) => clause !== '');
  return clauses.every((clause) => SPECIFIER.test(clause)) ? clauses.join(',') : undefined;
}

/** The error of lines that reach outside or cannot be read. */
export function refusedLinesError(file: string, refused: RefusedLine[]): RunnerError {
  const list = listed(
    refused.map(({ line, text, why }) => `line ${line} (${shown(text)}) ${why}`),
    '; ',
  );
  return new RunnerError('install_failed', `${file} cannot be installed offline: ${list}`, {
    details: { path: file, requirements: refused.map(({ text }) => text) },
  });
}

function logicalLines(text: string): { line: number; text: string }[] {
  const lines: { line: number; text: string }[] = [];
  let pending = '';
  let start = 0;
  for (const [index, raw] of text.split(/\r\n|\r|\n/).entries()) {
    if (pending === '') start = index + 1;
    const isContinued = raw.endsWith('\\') && !/^\s*#/.test(raw);
    pending += isContinued ? raw.slice(0, -1) : raw;
    if (isContinued) continue;
    const whole = pending.replace(/(^|\s)#.*$/, '').trim();
    if (whole !== '') lines.push({ line: start, text: whole });
    pending = '';
  }
  const last = pending.replace(/(^|\s)#.*$/, '').trim();
  if (last !== '') lines.push({ line: start, text: last });
  return lines;
}

function isInside(file: string): boolean {
  const parts = file.trim().split(/[\\/]/);
  return !URL_LIKE.test(file) && !/^[\\/]|^[A-Za-z]:/.test(file.trim()) && !parts.includes('..');
}
