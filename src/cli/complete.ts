import { stat } from 'node:fs/promises';
import path from 'node:path';
import { commandOf, groupIn, wordsAfter, wordsBehind } from './command-names.js';
import { COMMANDS } from './commands.js';
import type { CliHost } from './host.js';
import type { CommandSpec, WordKind } from './spec.js';

const GLOBAL = ['--root', '--json', '--yes', '--operator', '--help'];

/** Prints what the last of the words could become, one a line; nothing where that is a file. */
export async function complete(host: CliHost, words: readonly string[]): Promise<void> {
  const begun = words.at(-1) ?? '';
  const offered = await offers(host, words.slice(0, -1), begun);
  const lines = offered.filter((offer) => offer.startsWith(begun)).map((offer) => `${offer}\n`);
  host.stdout.write(lines.join(''));
}

async function offers(host: CliHost, before: readonly string[], begun: string): Promise<string[]> {
  const spec = commandOf(before, COMMANDS);
  const flags = (spec?.options ?? []).flatMap(({ usage }) =>
    usage.split(/[ ,]+/).filter((word) => word.startsWith('--')),
  );
  if (begun.startsWith('-')) return [...flags, ...GLOBAL];
  if (!spec) {
    if (before.at(-1) === '--root') return [];
    return [...wordsAfter(groupIn(before, COMMANDS), COMMANDS), 'help'];
  }
  const after = wordsBehind(before, spec.name);
  const flag = spec.options?.find(
    ({ usage }) => after.at(-1) !== undefined && usage.startsWith(`${after.at(-1) ?? ''} <`),
  );
  if (flag) return flag.kind === undefined ? choicesOf(flag.usage) : namesOf(host, before, flag.kind, after);
  const position = after.filter((word) => !word.startsWith('-')).length;
  const kind = kindAt(spec, position);
  return kind === undefined ? [] : namesOf(host, before, kind, after);
}

/** `<sdk|bundled>` */
function choicesOf(usage: string): string[] {
  return /<([^>]*\|[^>]*)>/.exec(usage)?.[1]?.split('|') ?? [];
}

function kindAt({ arguments: all = [] }: CommandSpec, position: number): WordKind | undefined {
  const last = all.at(-1);
  return all[position]?.kind ?? (last?.usage.includes('...') ? last.kind : undefined);
}

async function namesOf(
  host: CliHost,
  before: readonly string[],
  kind: WordKind,
  after: readonly string[],
): Promise<string[]> {
  if (kind === 'shell') return ['bash', 'zsh', 'fish'];
  if (kind === 'file') return [];
  const given = before[before.indexOf('--root') + 1];
  const root = path.resolve(
    host.cwd,
    (before.includes('--root') ? given : undefined) ?? host.env.PROCVISION_ROOT ?? 'station',
  );
  const isStore = await stat(path.join(root, 'registry.json')).then(
    () => true,
    () => false,
  );
  if (!isStore) return [];
  const { Registry } = await import('procvision-runner');
  const registry = await Registry.open(root);
  try {
    const entries = await registry.list();
    if (kind === 'name') return [...new Set(entries.map(({ name }) => name))];
    if (kind === 'version')
      return entries.filter(({ name }) => after.includes(name)).map(({ version }) => version);
    const ids = entries.filter(({ name }) => after.includes(name)).flatMap((entry) => entry.supported_pids);
    return [...new Set([...ids, ...Object.keys(await registry.active())])];
  } finally {
    await registry.close();
  }
}
