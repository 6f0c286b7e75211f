import { decodeText } from './text.js';

/** One line of a requirements file, with what continues it. */
export interface RequirementLine {
  /** Where it starts in the file, from 1. */
  line: number;
  /** Without comment; blanks are single spaces. */
  text: string;
}

/** Where Python's `str.splitlines` ends a line: what is a character of a comment to others is a line break to pip. */
// eslint-disable-next-line no-control-regex -- control characters end lines
const LINE_BREAK = /\r\n|[\n\r\v\f\u001c-\u001e\u0085\u2028\u2029]/;
/** What Python's `\s` takes for a blank; other than that of JavaScript it has no U+FEFF. */
const BLANK = '[ \\t\\u001f\\u00a0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000]';
const BLANKS = new RegExp(`${BLANK}+`, 'g');
/** Of a line whose blanks are single spaces: stepping over runs of them would take time by their square. */
const COMMENT = /(^| )#.*$/;
const LEADING_BLANKS = new RegExp(`^${BLANK}+`);
const BOM_AT_START = /^\ufeff+/;

/**
 * The lines of a requirements file as pip divides them (`pip/_internal/req/req_file.py`): a line ends wherever Python
 * says so, a backslash at its end continues it, comments go last. Anything else would let a comment hide a line that
 * pip acts on. A byte order mark at the start of a line, left there when files were joined, is dropped.
 */
export function requirementLines(text: string): RequirementLine[] {
  const lines: RequirementLine[] = [];
  let pending = '';
  let start = 0;
  const end = () => {
    // Not trim(): it takes U+FEFF away, which Python keeps.
    const whole = pending.replace(BLANKS, ' ').replace(COMMENT, '').replace(/^ | $/g, '');
    if (whole !== '') lines.push({ line: start, text: whole });
    pending = '';
  };
  for (const [index, physical] of text.split(LINE_BREAK).entries()) {
    const raw = physical.replace(BOM_AT_START, '');
    if (pending === '') start = index + 1;
    const isComment = raw.replace(LEADING_BLANKS, '').startsWith('#');
    if (raw.endsWith('\\') && !isComment) {
      pending += raw.replace(/^\\+|\\+$/g, '');
      continue;
    }
    pending += isComment ? ` ${raw}` : raw;
    end();
  }
  end();
  return lines;
}

/** Encodings that a `# -*- coding: … -*-` line may name (PEP 263). Others, UTF-7 above all, hide what is written. */
const NAMED_ENCODINGS: Readonly<Record<string, string>> = {
  'utf-8': 'utf-8',
  utf8: 'utf-8',
  'utf-8-sig': 'utf-8',
  ascii: 'utf-8',
  'us-ascii': 'utf-8',
  gbk: 'gbk',
  cp936: 'gbk',
  gb2312: 'gbk',
  gb18030: 'gb18030',
  'latin-1': 'windows-1252',
  'iso-8859-1': 'windows-1252',
  cp1252: 'windows-1252',
};
const CODING = /coding[:=]\s*([-\w.]+)/;

/**
 * The text of a requirements file: UTF-16 where a BOM says so, as Windows' PowerShell writes it; else what a coding
 * line names, which pip obeys; else UTF-8 or GBK. Undefined when it is none of these.
 */
export function decodeRequirements(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  const named = namedEncoding(bytes);
  if (named === undefined) return decodeText(bytes);
  const encoding = NAMED_ENCODINGS[named.toLowerCase().replaceAll('_', '-')];
  if (encoding === undefined) return undefined;
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** What one of the first two lines names, unless a BOM has said it before. */
function namedEncoding(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return undefined;
  const first = bytes.indexOf(NEWLINE);
  const second = first === -1 ? -1 : bytes.indexOf(NEWLINE, first + 1);
  const head = bytes.subarray(0, second === -1 ? bytes.length : second);
  return Buffer.from(head)
    .toString('latin1')
    .split('\n')
    .map((line) => (line.startsWith('#') ? CODING.exec(line)?.[1] : undefined))
    .find((name) => name !== undefined);
}

const NEWLINE = 0x0a;
