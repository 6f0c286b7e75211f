/** One token of a JSON text: a string, or a sign of structure. Everything else is skipped. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/g;

/**
 * The first name that an object of a JSON text has twice, nested ones included; undefined when there is none. Of two,
 * `JSON.parse` keeps the last, and another reader the first (RFC 8259, 4).
 *
 * @param text - JSON, parsed before
 */
export function duplicateName(text: string): string | undefined {
  /** Names of the objects that are open, undefined for a list; the innermost last. */
  const open: (Set<string> | undefined)[] = [];
  let last: string | undefined;
  for (const [token] of text.matchAll(TOKEN)) {
    switch (token) {
      case '{':
        open.push(new Set());
        break;
      case '[':
        open.push(undefined);
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case ',':
        break;
      case ':': {
        const name = JSON.parse(last ?? '""') as string;
        const names = open.at(-1);
        if (names?.has(name)) return name;
        names?.add(name);
        break;
      }
      default:
        last = token;
    }
  }
  return undefined;
}
