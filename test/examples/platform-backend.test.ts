import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { listen } from '../../examples/platform-backend/main.js';
import { buildPackage } from '../../src/testing/index.js';
import { packBoardCheck } from '../../examples/quickstart/package.js';
import { drawBoard } from '../../examples/quickstart/board.js';
import { writePng } from '../../examples/quickstart/picture.js';
import { repositoryFile } from '../support/run-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

const PATIENCE = { timeout: 60_000 };

/** Debian's package; set CHROMIUM to another. */
const executable = process.env.CHROMIUM ?? '/usr/bin/chromium';
const isThere = existsSync(executable);

async function openBrowser(): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: executable,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  onTestFinished(() => browser.close());
  return browser;
}

test.skipIf(!isThere)(
  `the page uploads a package, activates it, inspects a picture, draws the box and switches${isThere ? '' : ` (skipped: there is no ${executable})`}`,
  { timeout: 300_000 },
  async () => {
    const folder = await temporaryFolder();
    const zip = path.join(folder, 'board-check.zip');
    await writeFile(zip, await packBoardCheck(drawBoard({ seed: 1 })));
    const newer = path.join(folder, 'board-check-1.1.zip');
    await writeFile(newer, await buildPackage({ name: 'board-check', version: '1.1.0', pids: ['BOARD-7'] }));
    const picture = path.join(folder, 'board.png');
    await writePng(picture, drawBoard({ seed: 3, without: 'R2' }));
    const { url, close } = await listen(path.join(folder, 'station'), 0);
    onTestFinished(close);

    const shots = repositoryFile('build/screenshots');
    await mkdir(shots, { recursive: true });
    const page = await (await openBrowser()).newPage({ viewport: { width: 1280, height: 800 } });
    const shoot = (name: string) =>
      page.screenshot({ path: path.join(shots, `${name}.png`), fullPage: true });
    const thrown: Error[] = [];
    page.on('pageerror', (error) => thrown.push(error));

    await page.goto(url);
    await page.getByText('Nothing is deployed yet').waitFor();
    await shoot('1-empty');
    await page.setInputFiles('#package-file', zip);
    await page.getByText('board-check 1.0.0 installed').waitFor(PATIENCE);
    expect(await page.evaluate(`document.querySelector('#progress').value`)).toBe(1);
    await page.getByRole('button', { name: 'activate' }).click();
    await page.getByRole('cell', { name: 'BOARD-7' }).waitFor(PATIENCE);
    expect(await page.inputValue('#pid')).toBe('BOARD-7');

    await page.setInputFiles('#picture-file', picture);
    await page.locator('[data-verdict="NG"]').waitFor(PATIENCE);
    const colour = await page.evaluate(
      `[...document.querySelector('#picture').getContext('2d').getImageData(352, 288, 1, 1).data].slice(0, 3)`,
    );
    expect(colour).toEqual([229, 57, 53]);
    expect(await page.locator('#boxes li').count()).toBe(1);
    await page.locator('#workers [data-state="idle"]').waitFor(PATIENCE);
    await page.locator('#packages [data-state="running"]').waitFor(PATIENCE);
    await shoot('2-inspection');

    await page.setInputFiles('#package-file', newer);
    await page.getByText('board-check 1.1.0 installed').waitFor(PATIENCE);
    await page.getByRole('button', { name: 'switch' }).click();
    const row = page.getByRole('row').filter({ hasText: '1.1.0' }).filter({ hasText: 'BOARD-7' });
    await row.waitFor(PATIENCE);
    await page.locator('#workers').getByText('1.1.0').waitFor(PATIENCE);
    await shoot('3-switched');

    await page.setInputFiles('#package-file', picture);
    const alert = page.getByRole('alert');
    await alert.getByText('invalid zip 2001').waitFor(PATIENCE);
    expect(await alert.textContent()).toMatch(/not a zip/);
    await shoot('4-refused');
    expect(thrown).toEqual([]);
  },
);

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
  const inspected = await fetch(`${url}inspect`, {
    method: 'POST',
    headers: { origin: 'http://evil.example' },
  });
  expect(inspected.status).toBe(403);
});

test('the backend is one short file', async () => {
  const text = await readFile(repositoryFile('examples/platform-backend/main.ts'), 'utf8');
  expect(text.split('\n').length).toBeLessThan(150);
});
