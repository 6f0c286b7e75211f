import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { listen } from '../../examples/platform-backend/main.js';
import { repositoryFile } from '../support/run-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('a page of another site is refused, and so is a name that leads here from elsewhere', async () => {
  const { url, close } = await listen(path.join(await temporaryFolder(), 'station'), 0);
  onTestFinished(close);
  const install = (headers: Record<string, string>) =>
    fetch(`${url}algorithms/install`, {
      method: 'POST',
      body: 'PK',
      headers: { 'content-type': 'application/zip', ...headers },
    });
  expect((await install({ origin: 'http://evil.example' })).status).toBe(403);
  expect((await install({ origin: new URL(url).origin })).status).toBe(422);
  expect((await install({})).status).toBe(422);
  const guide = (headers: Record<string, string>) =>
    fetch(`${url}guide?pid=A01`, { method: 'POST', body: 'no picture', headers });
  expect((await guide({ origin: 'http://evil.example' })).status).toBe(403);
  expect((await guide({})).status).toBe(422);
});

test('the backend serves the page of the runner', async () => {
  const { url, close } = await listen(path.join(await temporaryFolder(), 'station'), 0);
  onTestFinished(close);
  expect(await (await fetch(url)).text()).toContain('page/main.mjs');
});

test('the backend is one short file', async () => {
  const text = await readFile(repositoryFile('examples/platform-backend/main.ts'), 'utf8');
  expect(text.split('\n').length).toBeLessThan(150);
});
