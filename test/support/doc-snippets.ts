import { readdirSync, readFileSync } from 'node:fs';
import { repositoryFile } from './run-script.js';

/** A TypeScript block of a Markdown page. */
export interface DocSnippet {
  /** First line of its code in the page, from 1. */
  line: number;
  code: string;
  /** What stands in a `<!-- snippet: … -->` above it: `runner` is a program by itself, `types` is checked, not run. */
  mark: string | undefined;
}

/** The pages that people read: the README and the guides. */
export function docPages(): string[] {
  const guides = readdirSync(repositoryFile('docs')).filter((name) => name.endsWith('.md'));
  return ['README.md', ...guides.sort().map((name) => `docs/${name}`)];
}

export function readPage(page: string): string {
  return readFileSync(repositoryFile(page), 'utf8');
}

export function snippetsOf(page: string): DocSnippet[] {
  const text = readPage(page);
  const blocks = text.matchAll(/(?:<!-- snippet: (\w+) -->\n)?```ts\n([\s\S]*?)```/g);
  return [...blocks].map(({ index, 0: block, 1: mark, 2: code = '' }) => ({
    line: text.slice(0, index + block.indexOf('```ts')).split('\n').length + 1,
    code,
    mark,
  }));
}

const IMPORT = /^import [\s\S]*?;\n/gm;

/**
 * One program of a page's snippets, in the order of the page, each in a block of its own: what one declares does not
 * meet what another does. What no snippet makes itself (`registry`, `image`…) comes from `prelude`.
 */
export function programOf(snippets: readonly DocSnippet[], prelude: string): string {
  const imports = new Set(snippets.flatMap(({ code }) => code.match(IMPORT) ?? []));
  const blocks = snippets.map(({ line, code, mark }) => {
    const body = code.replace(IMPORT, '');
    const head = mark === 'types' ? `async function _onlyTyped${line}() {` : '{';
    return `${head} // line ${line}\n${body}}\n`;
  });
  return [prelude, ...mergeImports(imports), ...blocks].join('\n');
}

/** Named imports of one module, made one: two snippets may import the same class. */
function mergeImports(imports: Iterable<string>): string[] {
  const names = new Map<string, Set<string>>();
  const others: string[] = [];
  for (const text of imports) {
    const named = /^import \{([\s\S]*?)\} from ('[^']+');/.exec(text);
    if (!named) {
      others.push(text.trim());
      continue;
    }
    const [, list = '', module = ''] = named;
    const known = names.get(module) ?? new Set<string>();
    names.set(module, known);
    for (const name of list.split(',')) if (name.trim() !== '') known.add(name.trim());
  }
  return [
    ...others,
    ...[...names].map(([module, list]) => `import { ${[...list].sort().join(', ')} } from ${module};`),
  ];
}

/** A line of a page that says what is seen; `…` stands for anything, and blanks for any number of them. */
export function patternOf(line: string): RegExp {
  const parts = line
    .trim()
    .split('…')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll(/ +/g, ' +'));
  return new RegExp(parts.join('.*'));
}

/** Steps of a page (`<!-- steps: name -->`): commands for a shell, and what the last of them shows in the end. */
export function stepsOf(page: string, name: string): { commands: string[]; seen: RegExp[] }[] {
  const blocks = readPage(page).matchAll(
    new RegExp(`<!-- steps: ${name} -->\n+\`\`\`sh\n([^]*?)\`\`\`\n+\`\`\`text\n([^]*?)\`\`\``, 'g'),
  );
  return [...blocks].map(([, commands = '', text = '']) => ({
    commands: commands.trimEnd().split('\n'),
    seen: text.trimEnd().split('\n').map(patternOf),
  }));
}
