import type { CliHost } from './host.js';
import type { Output } from './terminal/output.js';

/** What a word of the command line names: what completion offers for it. */
export type WordKind = 'name' | 'version' | 'id' | 'file' | 'shell' | 'command';

/** One word that a command takes. */
export interface ArgumentSpec {
  /** As in the usage: `<name>`, `[ids...]`. */
  usage: string;
  summary: string;
  kind?: WordKind;
}

/** One flag that a command takes. */
export interface OptionSpec {
  /** As in the usage: `--out <folder>`. */
  usage: string;
  summary: string;
  /** Makes a value of the text; throws {@link UsageError}. @defaultValue the text itself */
  parse?: (text: string) => unknown;
  /** May be given again: the value is a list. */
  isRepeated?: boolean;
  defaultValue?: unknown;
  kind?: WordKind;
}

/** A command: what it takes, and where its code is. */
export interface CommandSpec {
  name: string;
  summary: string;
  arguments?: readonly ArgumentSpec[];
  options?: readonly OptionSpec[];
  /** Command lines, without the program's name. */
  examples: readonly string[];
  /** More than the summary says. */
  details?: string;
  /** Whether only an interrupt ends it: that is its success then. */
  isService?: boolean;
  load: () => Promise<CommandModule>;
}

/** What a file of `commands/` exports. */
export interface CommandModule {
  /** @returns the exit code, 0 unless it says another */
  run: (call: Call) => Promise<number | undefined>;
}

/** A command as it was called. */
export interface Call {
  /** The words, by position; words of `[ids...]` follow one another. */
  words: readonly string[];
  /** By name in camelCase. */
  options: Readonly<Record<string, unknown>>;
  host: CliHost;
  out: Output;
  signal: AbortSignal;
  /** Absolute path of the store. */
  root: string;
  /** Who does it, for the audit log. */
  operator: string;
  /** A path of the command line. */
  path: (relative: string) => string;
}
