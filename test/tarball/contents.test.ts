import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, test } from 'vitest';

const source = fileURLToPath(new URL('../../src/', import.meta.url));
const installed = path.join(inject('project'), 'node_modules/procvision-runner');
const tarball = inject('tarball');

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .sort();
}

const packed = inject('packed');
const dist = packed.filter((file) => file.startsWith('dist/')).map((file) => file.slice('dist/'.length));
/** Without the command line, which is a program by itself. */
const library = dist.filter((file) => !file.startsWith('cli/') || file.endsWith('.py'));

describe('the tarball', () => {
  test('holds dist/, docs, examples, the manifest, the README, the licence, the changelog, and nothing else', () => {
    const others = packed.filter((file) => !/^(?:dist|docs|examples)\//.test(file));
    expect(others).toEqual([
      ...[
        'CHANGELOG.md',
        'CONTRIBUTING.md',
        'LICENSE',
        'README.md',
        'SECURITY.md',
        'llms.txt',
        'package.json',
      ],
    ]);
    const endings = new Set(library.map((file) => /(\.d)?\.\w+$/.exec(file)?.[0]));
    expect([...endings].sort()).toEqual([
      ...['.cjs', '.css', '.d.cts', '.d.ts', '.html', '.js', '.mjs', '.py', '.svg', '.wasm'],
    ]);
  });

  test.each([
    ['Python file', '.py', 10],
    ['module of the page, and script of the test kit', '.mjs', 10],
    ['document of the page', '.html', 1],
    ['style sheet of the page', '.css', 1],
    ['icon of the page', '.svg', 1],
    ['kernel of WebAssembly', '.wasm', 1],
  ])('has every %s where its module looks for it', (_title, ending, least) => {
    const assets = filesBelow(source).filter((file) => file.endsWith(ending));
    expect(assets.length).toBeGreaterThanOrEqual(least);
    expect(dist.filter((file) => file.endsWith(ending))).toEqual(assets);
    for (const file of assets) {
      expect(readFileSync(path.join(installed, 'dist', file))).toEqual(readFileSync(path.join(source, file)));
    }
  });

  test('has a CommonJS copy of every module, and declarations once, to which those of ES modules lead', () => {
    const twins = (ending: string, twin: string) =>
      library.filter((file) => file.endsWith(ending)).map((file) => file.slice(0, -ending.length) + twin);
    expect(library.filter((file) => file.endsWith('.cjs'))).toEqual(twins('.js', '.cjs').sort());
    const declarations = dist.filter((file) => file.endsWith('.d.ts'));
    expect(declarations).toHaveLength(9);
    for (const file of declarations) {
      const twin = path.basename(file).replace('.d.ts', '.cjs');
      expect(readFileSync(path.join(installed, 'dist', file), 'utf8')).toBe(`export * from './${twin}';\n`);
      expect(dist).toContain(file.replace('.d.ts', '.d.cts'));
    }
  });

  test.each(['.js', '.cjs'])(
    'has each class in one %s file alone, so that a class is one class',
    (ending) => {
      const owners = new Map<string, string[]>();
      for (const file of library.filter((name) => name.endsWith(ending))) {
        const text = readFileSync(path.join(installed, 'dist', file), 'utf8');
        for (const [, name = ''] of text.matchAll(/(?:var |,)(\w+)=class\b/g)) {
          owners.set(name, [...(owners.get(name) ?? []), file]);
        }
      }
      expect(owners.size).toBeGreaterThan(40);
      expect([...owners].filter(([, files]) => new Set(files).size > 1)).toEqual([]);
    },
  );
});

test('every relative link of its README, its guides and llms.txt leads to a file of it', () => {
  const pages = packed.filter((file) => /^(?:README\.md|llms\.txt|docs\/.*\.md)$/.test(file));
  expect(pages.length).toBeGreaterThan(9);
  const broken = pages.flatMap((page) => {
    const text = readFileSync(path.join(installed, page), 'utf8').replaceAll(/```[^]*?```/g, '');
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = '']) => link.split('#')[0] ?? '')
      .filter((link) => link !== '' && !/^https?:/.test(link))
      .map((link) => path.posix.join(path.posix.dirname(page), link))
      .filter((file) => !packed.some((one) => one === file || one.startsWith(`${file}/`)))
      .map((file) => `${page} -> ${file}`);
  });
  expect(broken).toEqual([]);
});

test('no line of a module is so long that an uncaught exception, which prints its line, hides its message', () => {
  const longest = library
    .filter((file) => /\.c?js$/.test(file))
    .map((file) => {
      const text = readFileSync(path.join(installed, 'dist', file), 'utf8');
      return { file, length: Math.max(...text.split('\n').map((line) => line.length)) };
    });
  expect(longest.filter(({ length }) => length > 20_000)).toEqual([]);
});

describe('the size budget', () => {
  const size = (file: string) => statSync(path.join(installed, 'dist', file)).size;
  const total = (files: string[]) => files.reduce((sum, file) => sum + size(file), 0);
  const code = (ending: string) => library.filter((file) => file.endsWith(ending) && !file.includes('.d.'));

  test.each([
    ['the tarball', 1_645_000, () => statSync(tarball).size],
    ['everything unpacked', 4_987_000, () => total(dist)],
    ['the ES modules', 1_657_500, () => total(code('.js'))],
    // Each of its 41 files begins with 1.2 KB that let it pass for an ES module.
    ['the CommonJS modules', 1_726_500, () => total(code('.cjs'))],
    ['the command line', 348_500, () => total(dist.filter((file) => file.startsWith('cli/')))],
    ['http alone', 130_000, () => size('http/index.js')],
    ['testing alone', 80_000, () => size('testing/index.js')],
  ])('%s is at most %i bytes', (_title, limit, measure) => {
    expect(measure()).toBeLessThanOrEqual(limit);
  });
});
