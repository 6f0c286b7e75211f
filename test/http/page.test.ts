import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { openHttpRunner } from '../support/http-runner.js';
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
  expect(JSON.stringify(findings)).not.toContain(root);
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
