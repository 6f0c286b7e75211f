/** What ends a path in a text, beside a blank. */
const END = String.raw`'"\`,;:()<>|`;
/** A folder in a path of Windows: with blanks and brackets in it (`Program Files (x86)`), not at its ends. */
const NO_PART = String.raw`\\/'"\`,;:<>|\r\n`;
const FOLDER = String.raw`(?:[^\s${NO_PART}](?:[^${NO_PART}]{0,254}[^\s${NO_PART}])?)?\\`;

/** A path of POSIX from one quote to the other, with whatever blanks are in it: what Python writes of a file. */
const QUOTED = String.raw`(?<=(?<quote>['"\`]))/(?=[^/'"\`\\\r\n]+/)[^'"\`\\\r\n]+(?=\\?\k<quote>)`;

/** An absolute path of POSIX or Windows that stands in a text: not the path of a URL, nor a relative one's rest. */
const ABSOLUTE = new RegExp(
  String.raw`${QUOTED}|(?<![\w.~%+@:/\\-])(?:/[^\s/${END}]+(?:/[^\s/${END}]+)+/?` +
    String.raw`|(?:(?:\\{2,4}[?.]\\{1,2})?[A-Za-z]:\\|\\\\(?:[?.]\\)?)(?:${FOLDER})*[^\s${END}]*` +
    String.raw`|[A-Za-z]:/[^\s${END}]+)`,
  'g',
);

/**
 * A copy of a value in which a path in the store is relative to `root`, and any other path is its last name alone. A
 * client must not learn where the store is, nor what else is on the machine.
 *
 * @param value - JSON: strings in it, at any depth, are searched for paths
 */
export function withoutPaths<T>(value: T, root: string): T {
  const known = new Set<string>();
  visit(value, (text) => {
    if (isAbsolute(text)) known.add(text);
  });
  // The longest first: one may be the beginning of another.
  const outside = [...known].filter((file) => !isBelow(file, root)).sort((a, b) => b.length - a.length);
  return map(value, (text) => {
    let redacted = root === '' ? text : relativeTo(text, root);
    for (const file of outside) redacted = redacted.replaceAll(file, lastName(file));
    return redacted.replace(ABSOLUTE, (file) => lastName(file));
  });
}

function relativeTo(text: string, root: string): string {
  const at = root.replace(/[/\\]+$/, '');
  const written = writtenOnWindows(at);
  if (written)
    return text.replace(written, (_, separator: string | undefined) => (separator ? '' : 'the store'));
  return text
    .replaceAll(`${at}/`, '')
    .replaceAll(`${at}\\`, '')
    .split(at)
    .reduce((redacted, part) =>
      /^[\w.-]/.test(part) ? `${redacted}${at}${part}` : `${redacted}the store${part}`,
    );
}

/**
 * A root of Windows in whatever way a text has it: in another case, with `/`, with the prefix `\\?\`, with each `\` twice as
 * Python and JSON quote it.
 */
function writtenOnWindows(root: string): RegExp | undefined {
  if (!/^(?:[A-Za-z]:[\\/]|\\\\)/.test(root)) return undefined;
  const folders = root.split(/[\\/]+/).map((part) => part.replace(/[.*+?^${}()|[\]]/g, String.raw`\$&`));
  const separator = String.raw`(?:\\{1,2}|/)`;
  const prefix = String.raw`(?:\\{2,4}[?.]\\{1,2})?`;
  const below = String.raw`(?:(${separator})|(?![\w.-]))`;
  const whole =
    folders[0] === '' ? String.raw`\\{2,4}${folders.slice(1).join(separator)}` : folders.join(separator);
  return new RegExp(`${prefix}${whole}${below}`, 'gi');
}

function isBelow(file: string, root: string): boolean {
  return root !== '' && (file === root || file.startsWith(`${root}/`) || file.startsWith(`${root}\\`));
}

function isAbsolute(text: string): boolean {
  return /^(?:\/[^/]|[A-Za-z]:[\\/]|\\\\)/.test(text) && !/[\n\r]/.test(text);
}

function lastName(file: string): string {
  const name =
    file
      .replace(/[/\\]+$/, '')
      .split(/[/\\]/)
      .at(-1) ?? '';
  return `…/${name}`;
}

function visit(value: unknown, look: (text: string) => void): void {
  if (typeof value === 'string') look(value);
  else if (typeof value === 'object' && value !== null)
    for (const one of Object.values(value)) visit(one, look);
}

function map<T>(value: T, change: (text: string) => string): T {
  if (typeof value === 'string') return change(value) as T;
  if (Array.isArray(value)) return value.map((one: unknown) => map(one, change)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, map<unknown>(one, change)]),
  ) as T;
}
