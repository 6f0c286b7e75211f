import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { openHttpRunner } from '../support/http-runner.js';
import { inJson } from '../support/platform.js';
import { repositoryFile } from '../support/run-script.js';

const files = await readdir(repositoryFile('src/http/page/files'));

test('with page the files of the page are served without asking authorize, and nothing else is', async () => {
  const { ask } = await openHttpRunner({ page: true, authorize: () => false });
  for (const place of [
    '/',
    ...files.filter((name) => name !== 'index.html').map((name) => `/page/${name}`),
    '/page/marks.mjs',
  ]) {
    const response = await ask('GET', place);
    expect([place, response.status]).toEqual([place, 200]);
    expect(response.headers.get('content-type')).toMatch(
      /^(?:text\/(?:html|css|javascript); charset=utf-8|image\/svg\+xml)$/,
    );
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toContain('unsafe');
  }
  for (const place of [
    '/page/index.html',
    '/page/none.mjs',
    '/page/page.ts',
    '/page/..%2fpage.ts',
    '/page/',
    '/index.html',
  ]) {
    expect((await ask('GET', place)).status).toBeGreaterThanOrEqual(400);
  }
  expect((await ask('POST', '/')).status).toBe(404);
  expect((await ask('GET', '/algorithms')).status).toBe(403);
  const head = await ask('HEAD', '/');
  expect([head.status, await head.text()]).toEqual([200, '']);
});

test('the page lies below basePath, and without the option there is none', async () => {
  const mounted = await openHttpRunner({ page: true, basePath: '/station' });
  expect((await mounted.ask('GET', '/station/')).status).toBe(200);
  expect((await mounted.ask('GET', '/station/page/main.mjs')).status).toBe(200);
  expect((await mounted.ask('GET', '/')).status).toBe(404);
  const { ask } = await openHttpRunner();
  expect((await ask('GET', '/')).status).toBe(404);
});

test('the page has no script or style inside it, and makes no HTML of texts', async () => {
  for (const name of files) {
    const text = await readFile(repositoryFile(`src/http/page/files/${name}`), 'utf8');
    expect(text).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(/);
    if (name.endsWith('.html')) expect(text).not.toMatch(/<style|\son\w+=|style=|<script(?![^>]*\ssrc=)/);
  }
});

test('every word of the page is there in each language', async () => {
  const { EN } = await import('../../src/http/page/files/words-en.mjs');
  const { ZH } = await import('../../src/http/page/files/words-zh.mjs');
  expect(Object.keys(ZH)).toEqual(Object.keys(EN));
  const english = EN as Record<string, string>;
  const chinese = ZH as Record<string, string>;
  for (const name of files.filter((file) => file.endsWith('.mjs'))) {
    const text = await readFile(repositoryFile(`src/http/page/files/${name}`), 'utf8');
    const used = [
      ...text.matchAll(/\bw(?:Label|Placeholder)?: \[?'(\w+)'|\b(?:button|asking|tell)\('(\w+)'/g),
    ];
    expect(used.map(([, one, other]) => one ?? other).filter((key = '') => !(key in english))).toEqual([]);
  }
  for (const [key, text] of Object.entries(english)) {
    const places = (words: string) => [...words.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();
    expect([key, places(chinese[key] ?? '')]).toEqual([key, places(text)]);
  }
});

test('each finding, each code of a failure and each check of a package has its words in Chinese, and a remedy', async () => {
  const { CHECKS, FAILURES, FINDINGS: TOLD } = await import('../../src/http/page/files/told-zh.mjs');
  const { FINDINGS } = await import('../../src/runner/doctor/catalogue.js');
  const { CHECK_ORDER } = await import('../../src/validation/check-list.js');
  const { STATUS_OF_CODE, STATUS_OF_FAULT } = await import('../../src/http/status.js');
  expect(Object.keys(TOLD).sort()).toEqual(Object.keys(FINDINGS).sort());
  expect(Object.keys(FAILURES).sort()).toEqual(Object.keys({ ...STATUS_OF_CODE, ...STATUS_OF_FAULT }).sort());
  expect(Object.keys(CHECKS).sort()).toEqual([...CHECK_ORDER].sort());
  for (const [id, words] of Object.entries({ ...TOLD, ...FAILURES })) {
    expect([id, words.map((text) => /[\u4e00-\u9fff]/.test(text))]).toEqual([id, [true, true]]);
  }
  for (const [name, title] of Object.entries(CHECKS))
    expect([name, title]).toEqual([name, expect.stringMatching(/[\u4e00-\u9fff]/)]);
});

/** Operations that the page has no place for, and why. */
const NOT_ON_THE_PAGE: Readonly<Record<string, string>> = {
  describe: 'for programs',
  health: 'the same as ready',
  live: 'that the page answers says it',
  get: 'the list has it',
  getActive: 'the list has it',
  server: 'Open Inference Protocol, for programs',
  serverLive: 'Open Inference Protocol, for programs',
  serverReady: 'Open Inference Protocol, for programs',
  model: 'Open Inference Protocol, for programs',
  modelVersion: 'Open Inference Protocol, for programs',
  modelReady: 'Open Inference Protocol, for programs',
  modelReadyVersion: 'Open Inference Protocol, for programs',
  infer: 'Open Inference Protocol, for programs',
  inferVersion: 'Open Inference Protocol, for programs',
  contentIndex: 'for other stations',
  contentManifest: 'for other stations',
  contentBlob: 'for other stations',
};

test('the page has a place for each operation of the document, and for each option of those that a person may set', async () => {
  const { openApiDocument } = await import('../../src/http/openapi.js');
  const { NAME_ENCODINGS } = await import('../../src/package/name-encodings.js');
  const texts = await Promise.all(
    files.map((name) => readFile(repositoryFile(`src/http/page/files/${name}`), 'utf8')),
  );
  const page = texts.join('\n');
  interface Operation {
    operationId: string;
    parameters?: { in: string; name: string }[];
  }
  const paths = openApiDocument('').paths as Record<string, Record<string, Operation>>;
  const missing: string[] = [];
  for (const [place, operations] of Object.entries(paths)) {
    for (const { operationId: id, parameters = [] } of Object.values(operations)) {
      if (id in NOT_ON_THE_PAGE) continue;
      // As the page has it: `algorithms/prune`, `${place}/start`, `inspections/${…}`.
      const parts = place.split(/\{\w+\}/).filter((part) => part !== '/' && part !== '');
      const word = parts.length === 1 ? parts[0]?.slice(1) : parts.at(-1);
      if (!page.includes(word ?? place)) missing.push(id);
      for (const { name } of parameters.filter((one) => one.in === 'query')) {
        if (!new RegExp(`\\b${name}\\b`).test(page)) missing.push(`${id} ${name}`);
      }
    }
  }
  expect(missing).toEqual([]);
  expect(NAME_ENCODINGS.filter((name) => !page.includes(`'${name}'`))).toEqual([]);
});

test('doctor answers the findings of the station without absolute paths, and of one version that there is', async () => {
  const { ask, registry, root } = await openHttpRunner();
  await deployVersion(registry);
  const found = await ask('GET', '/doctor');
  expect(found.status).toBe(200);
  const findings = (await found.json()) as { id: string; severity: string; remedy: string; fix?: object }[];
  for (const finding of findings) {
    expect(finding).toMatchObject({
      id: expect.any(String) as string,
      severity: expect.stringMatching(/^(?:error|warning|note)$/) as string,
      remedy: expect.any(String) as string,
    });
    expect(Object.keys(finding.fix ?? { what: 1 })).toEqual(['what']);
  }
  expect(JSON.stringify(findings)).not.toContain(inJson(root));
  expect((await ask('GET', '/doctor?name=none&version=1.0.0')).status).toBe(404);
  expect((await ask('GET', '/doctor?name=none')).status).toBe(400);
});

test('an event that came before the page was opened is sent with kept', async () => {
  const { ask, supervisor } = await openHttpRunner();
  const before = await ask('GET', '/events');
  await before.body?.cancel();
  supervisor.emit('circuitClosed', { name: 'sample', version: '1.0.0' });
  const response = await ask('GET', '/events?kept=true&names=circuitClosed');
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let text = '';
  while (!text.includes('circuitClosed')) text += new TextDecoder().decode((await reader.read()).value);
  await reader.cancel();
  expect(text).toContain('"name":"sample"');
});
