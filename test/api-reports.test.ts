import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const report = (name: string) => readFileSync(new URL(`../etc/${name}.api.md`, import.meta.url), 'utf8');

test.each(['procvision-runner.http', 'procvision-runner.signing', 'procvision-runner.testing'])(
  'every type that %s names and does not export itself is exported by the main entry',
  (name) => {
    const exported = new Set(
      [
        ...report('procvision-runner').matchAll(
          /^export (?:abstract )?(?:class|const|function|interface|type) (\w+)/gm,
        ),
      ].map(([, symbol]) => symbol),
    );
    expect(exported).toContain('RunnerError');
    const named = [...report(name).matchAll(/\(ae-forgotten-export\) The symbol "(\w+)"/g)].map(
      ([, symbol]) => symbol,
    );
    expect(named.filter((symbol) => !exported.has(symbol))).toEqual([]);
  },
);
