/**
 * Counts words that this project does not use, in the sources, the guides and the examples: `npm run lint` fails at any.
 *
 *     tsx scripts/old-words.ts
 *
 * Each of them hides a subject or has a standard term. In Markdown a word in quotes or in backticks is quoted, and does not
 * count.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PLACES = ['src', 'docs', 'examples', 'README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'llms.txt'];
const TEXT = /\.(?:ts|mts|js|mjs|cjs|py|md|txt|html|css|service)$|Dockerfile$/;

/** Word or phrase, and what to write in its place. */
const OLD_WORDS: readonly [word: string, instead: string][] = [
  ['whoever', 'name the subject: the caller, the reader, a process'],
  ['whosever', 'name the owner'],
  ['for ever', 'without limit, never ends'],
  ['meanwhile', 'say during what'],
  ['one that', 'repeat the noun'],
  ['ones that', 'repeat the noun'],
  ['what is there', 'name the thing'],
  ['is told', 'gets, receives, is reported'],
  ['waiting line', 'queue'],
  ['let go', 'release'],
  ['lets go', 'releases'],
  ['put away', 'remove'],
  ['puts away', 'removes'],
  ['take away', 'remove'],
  ['takes away', 'removes'],
  ['taken away', 'removed'],
];

/** A word of the old dialect in a file. */
export interface OldWord {
  line: number;
  word: string;
  instead: string;
}

/** The words in a text, with their lines. A phrase may go over the end of a line, also within a comment. */
export function oldWordsIn(text: string, o: { isMarkdown: boolean }): OldWord[] {
  const read = o.isMarkdown ? text.replaceAll(/`[^`\n]*`|"[^"\n]*"/g, blank) : text;
  return OLD_WORDS.flatMap(([word, instead]) => {
    const between = String.raw`(?:\s|\n\s*(?:\*|//|#|>)\s*)+`;
    const pattern = new RegExp(String.raw`\b${word.split(' ').join(between)}\b`, 'gi');
    return [...read.matchAll(pattern)].map(({ index }) => ({
      line: read.slice(0, index).split('\n').length,
      word,
      instead,
    }));
  }).sort((a, b) => a.line - b.line);
}

/** As many blanks: lines keep their numbers. */
function blank(quoted: string): string {
  return ' '.repeat(quoted.length);
}

/** Every old word of the project, as `file:line`. */
export function oldWordsOfProject(): (OldWord & { file: string })[] {
  return execFileSync('git', ['ls-files', '--', ...PLACES], { cwd: ROOT, encoding: 'utf8' })
    .split('\n')
    .filter((file) => TEXT.test(file) && existsSync(`${ROOT}/${file}`))
    .flatMap((file) => {
      const text = readFileSync(`${ROOT}/${file}`, 'utf8');
      return oldWordsIn(text, { isMarkdown: /\.(?:md|txt)$/.test(file) }).map((found) => ({
        file,
        ...found,
      }));
    });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = oldWordsOfProject();
  for (const { file, line, word, instead } of found) {
    process.stderr.write(`${file}:${line}: "${word}": write plainly (${instead})\n`);
  }
  process.stdout.write(`${found.length} old words\n`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
