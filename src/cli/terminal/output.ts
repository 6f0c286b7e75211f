import type { CliHost } from '../host.js';
import { styleOf, type Style } from './style.js';
import { formatTable } from './table.js';

/**
 * Where a command says what it has to say: its result on stdout, one JSON document with `--json`, text without; everything
 * else on stderr.
 */
export class Output {
  readonly isJson: boolean;
  /** Of stdout. */
  readonly style: Style;
  /** Of stderr. */
  readonly messageStyle: Style;
  readonly #host: CliHost;

  constructor(host: CliHost, isJson: boolean) {
    this.#host = host;
    this.isJson = isJson;
    this.style = styleOf(host.stdout, host.env);
    this.messageStyle = styleOf(host.stderr, host.env);
  }

  /** The result: `data` for programs, `text` for people. */
  result(data: unknown, text: string | (() => string)): void {
    if (this.isJson) {
      this.#host.stdout.write(`${JSON.stringify(data, plain, 2)}\n`);
      return;
    }
    const shown = typeof text === 'string' ? text : text();
    if (shown !== '') this.#host.stdout.write(`${shown}\n`);
  }

  /** One of many results that come one after the other: a line of JSON, or of text. */
  line(data: unknown, text: string): void {
    this.#host.stdout.write(`${this.isJson ? JSON.stringify(data, plain) : text}\n`);
  }

  /** A table, or in its place words for there being nothing. */
  table(data: unknown, rows: readonly Record<string, unknown>[], empty: string): void {
    this.result(data, () => (rows.length > 0 ? formatTable(rows) : empty));
  }

  /** Something that is not the result. */
  say(message: string): void {
    this.#host.stderr.write(`${message}\n`);
  }

  /** Something to look at that is no failure. */
  warn(message: string): void {
    this.say(`${this.messageStyle.yellow('warning:')} ${message}`);
  }
}

/** Errors are empty objects to `JSON.stringify` unless they say what they are. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Error && !('toJSON' in value)) return { name: value.name, message: value.message };
  return typeof value === 'bigint' ? String(value) : value;
}
