import type { CommandSpec } from './spec.js';

/** The first word of a command of two, such as `fleet status`; `undefined` for a command of one word. */
export function groupOf(name: string): string | undefined {
  const [first, second] = name.split(' ');
  return second === undefined ? undefined : first;
}

/** The words that may follow a group's name; without one, those that may come first. */
export function wordsAfter(group: string | undefined, commands: readonly CommandSpec[]): string[] {
  const words = commands
    .filter(({ name }) => group === undefined || groupOf(name) === group)
    .map(({ name }) => name.split(' ')[group === undefined ? 0 : 1] ?? '');
  return [...new Set(words)];
}

/** The command that a command line names: the first of its words that is one. A word behind a group's name is of the group. */
export function commandOf(
  words: readonly string[],
  commands: readonly CommandSpec[],
): CommandSpec | undefined {
  const [first] = commands
    .map((command) => ({ command, at: startOf(words, command.name) }))
    .filter(({ at }) => at >= 0 && groupIn(words.slice(0, at), commands) === undefined)
    .sort((a, b) => a.at - b.at);
  return first?.command;
}

/** The first word that is the name of a group. */
export function groupIn(words: readonly string[], commands: readonly CommandSpec[]): string | undefined {
  const groups = new Set(commands.map(({ name }) => groupOf(name)));
  return words.find((word) => groups.has(word));
}

/** The words after a command's name. */
export function wordsBehind(words: readonly string[], name: string): string[] {
  return words.slice(startOf(words, name) + name.split(' ').length);
}

/** Index of the first word of a command's name; -1 where the words do not have it. */
function startOf(words: readonly string[], name: string): number {
  const [first = '', second] = name.split(' ');
  const at = words.indexOf(first);
  return second === undefined || words[at + 1] === second ? at : -1;
}
