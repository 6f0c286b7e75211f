/** An absolute path of POSIX or Windows that stands in a text: not the path of a URL, nor a relative one's rest. */
const ABSOLUTE =
  /(?<![\w.~%+@:/\\-])(?:\/[^\s/'"`,;:()<>|]+(?:\/[^\s/'"`,;:()<>|]+)+\/?|(?:[A-Za-z]:\\|\\\\)[^\s'"`,;:()<>|]+)/g;

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
  return text
    .replaceAll(`${at}/`, '')
    .replaceAll(`${at}\\`, '')
    .split(at)
    .reduce((redacted, part) =>
      /^[\w.-]/.test(part) ? `${redacted}${at}${part}` : `${redacted}the store${part}`,
    );
}

function isBelow(file: string, root: string): boolean {
  return root !== '' && (file === root || file.startsWith(`${root}/`) || file.startsWith(`${root}\\`));
}

function isAbsolute(text: string): boolean {
  return /^(?:\/[^/]|[A-Za-z]:\\|\\\\)/.test(text) && !/[\n\r]/.test(text);
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
