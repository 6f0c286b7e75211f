import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const report = (name: string) => readFileSync(new URL(`../etc/${name}.api.md`, import.meta.url), 'utf8');

const entries = ['', '.fleet', '.http', '.outbox', '.recording', '.signing', '.telemetry', '.testing'].map(
  (entry) => `procvision-runner${entry}`,
);

/** What a report exports, by name. */
const exportsOf = (name: string) =>
  [...report(name).matchAll(/^export (?:abstract )?(?:class|const|function|interface|type) (\w+)/gm)].map(
    ([, symbol]) => symbol,
  );

/** Every type by name; the classes of what a handler may be given are in the subpaths that make them. */
const everywhere = ['procvision-runner.types', 'procvision-runner.fleet', 'procvision-runner.outbox'];

test.each(entries)(
  'every type that %s names and does not export itself is exported by procvision-runner/types, or where its objects are made',
  (name) => {
    const exported = new Set(everywhere.flatMap(exportsOf));
    expect(exported).toContain('RunnerError');
    const named = [...report(name).matchAll(/\(ae-forgotten-export\) The symbol "(\w+)"/g)].map(
      ([, symbol]) => symbol,
    );
    expect(named.filter((symbol) => !exported.has(symbol))).toEqual([]);
  },
);

test('procvision-runner/types names what it does not export only of the tables that details of errors are made of', () => {
  const named = report('procvision-runner.types').matchAll(/\(ae-forgotten-export\) The symbol "(\w+)"/g);
  const tables = ['Certain', 'CertainFacts', 'CommonFact', 'Possible', 'PossibleFacts'];
  expect([...named].map(([, symbol]) => symbol).filter((symbol) => !tables.includes(symbol ?? ''))).toEqual(
    [],
  );
});

test('the main entry exports at most a hundred names, old ones apart', () => {
  const [, ...blocks] = report('procvision-runner').split(/^\/\/ @public/m);
  const today = blocks.filter((block) => !block.startsWith(' @deprecated'));
  expect(today.length).toBeGreaterThan(50);
  expect(today.length).toBeLessThanOrEqual(100);
});
