import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const project = fileURLToPath(new URL('..', import.meta.url));
const textOf = (file: string) => readFileSync(path.join(project, file), 'utf8');

/** The files that CONTRIBUTING.md names for a change, from its heading to the next. */
function filesNamedFor(change: string): string[] {
  const [, steps = ''] = textOf('CONTRIBUTING.md').split(`**${change}**`);
  const [own = ''] = steps.split(/\n(?:\*\*|## )/);
  return [...own.matchAll(/^\d\. `([^`]+)`/gm)].map(([, file = '']) => file);
}

describe('to add a stage to install()', () => {
  const named = filesNamedFor('Add a stage to `install()`');

  test('at most five files are touched, which exist', () => {
    expect(named.length).toBeGreaterThan(2);
    expect(named.length).toBeLessThanOrEqual(5);
    for (const file of named)
      expect(readdirSync(path.join(project, path.dirname(file)))).toContain(path.basename(file));
  });

  test.each(['space', 'smoke', 'publish'])('the files that know of the stage %s are those named', (stage) => {
    const files = readdirSync(path.join(project, 'src/deploy'), { recursive: true, encoding: 'utf8' })
      .map((file) => path.posix.join('src/deploy', file.split(path.sep).join('/')))
      .filter((file) => file.endsWith('.ts') && textOf(file).includes(`'${stage}'`));
    expect(files.sort()).toEqual(named.filter((file) => file.startsWith('src/')).sort());
  });
});
