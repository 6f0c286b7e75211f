import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { listen } from '../../examples/platform-backend/main.js';
import { packBoardCheck } from '../../examples/quickstart/package.js';
import { drawBoard } from '../../examples/quickstart/board.js';
import { writePng } from '../../examples/quickstart/picture.js';
import { repositoryFile } from '../support/run-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

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
  `the page uploads a package, activates it, inspects a picture and draws the box${isThere ? '' : ` (skipped: there is no ${executable})`}`,
  async () => {
    const folder = await temporaryFolder();
    const zip = path.join(folder, 'board-check.zip');
    await writeFile(zip, await packBoardCheck(drawBoard({ seed: 1 })));
    const picture = path.join(folder, 'board.png');
    await writePng(picture, drawBoard({ seed: 3, without: 'R2' }));
    const { url, close } = await listen(path.join(folder, 'station'), 0);
    onTestFinished(close);

    const page = await (await openBrowser()).newPage();
    await page.goto(url);
    await page.setInputFiles('#package-file', zip);
    await page.getByText('board-check 1.0.0 installed').waitFor({ timeout: 60_000 });
    expect(await page.evaluate(`document.querySelector('#progress').value`)).toBe(1);
    await page.getByRole('button', { name: 'activate' }).click();
    await page.getByRole('cell', { name: 'BOARD-7' }).waitFor();
    expect(await page.inputValue('#pid')).toBe('BOARD-7');
    await page.setInputFiles('#picture-file', picture);
    await page.locator('[data-verdict="NG"]').waitFor({ timeout: 60_000 });
    const colour = await page.evaluate(
      `[...document.querySelector('#picture').getContext('2d').getImageData(352, 288, 1, 1).data].slice(0, 3)`,
    );
    expect(colour).toEqual([229, 57, 53]);
    await page.locator('#workers td').first().waitFor();
    const shots = repositoryFile('build/screenshots');
    await mkdir(shots, { recursive: true });
    await page.screenshot({ path: path.join(shots, 'platform-backend.png'), fullPage: true });
    await page.setInputFiles('#package-file', picture);
    await page.getByRole('alert').getByText('not a zip').waitFor();
  },
);
