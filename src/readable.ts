type Inspect = (value: unknown, options: object) => string;

/** `util.inspect.custom`, without the module. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/**
 * Lets `util.inspect`, and with it the REPL and `console.log`, show an object by facts that its fields do not tell: the
 * state of our classes is private. A string is shown as it is; facts that are undefined are left out.
 *
 * The method is a hidden property of the object itself: one of the class would stand in every declaration, and keep
 * bundlers from leaving the class out.
 */
export function showAs(object: object, title: string, facts: () => object | string): void {
  const show = (depth: number | null, options: object, inspect: Inspect): string => {
    if (depth !== null && depth < 0) return `[${title}]`;
    const shown = facts();
    if (typeof shown === 'string') return shown;
    const known = Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined));
    return `${title} ${inspect(known, { ...options, depth })}`;
  };
  Object.defineProperty(object, INSPECT, { value: show, configurable: true });
}

/** Text that is shown without quotes, among facts. */
export function plainText(text: string): object {
  const object = {};
  showAs(object, text, () => text);
  return object;
}
