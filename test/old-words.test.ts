import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { oldWordsIn, oldWordsOfProject } from '../scripts/old-words.js';

const words = (text: string, isMarkdown = false) =>
  oldWordsIn(text, { isMarkdown }).map(({ line, word }) => [line, word]);

test('finds a word and a phrase, with their lines', () => {
  expect(words('a\n// Whoever reads\nb(); // one that ends')).toEqual([
    [2, 'whoever'],
    [3, 'one that'],
  ]);
});

test.each([
  ['a block comment', ' * It waits for\n * ever.'],
  ['line comments', '// It waits for\n  // ever.'],
  ['comments of Python', '# It waits for\n# ever.'],
  ['a paragraph', 'It waits for\never.'],
])('finds a phrase over the end of a line in %s', (_title, text) => {
  expect(words(text)).toEqual([[1, 'for ever']]);
});

test('counts no quoted word in Markdown, and counts it in a source', () => {
  const text = 'not `whoever`, not "for ever"';
  expect(words(text, true)).toEqual([]);
  expect(words(text)).toHaveLength(2);
});

test('counts no longer word that has an old word in it', () => {
  expect(words('forever, someone thatched a roof')).toEqual([]);
});

test('the project has none', () => {
  expect(oldWordsOfProject()).toEqual([]);
});

test('the script exits 0 and says how many there are', () => {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const said = execFileSync(process.execPath, ['--import', 'tsx', 'scripts/old-words.ts'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(said).toBe('0 old words\n');
});
