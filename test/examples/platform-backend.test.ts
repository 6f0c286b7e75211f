import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { PNG } from 'pngjs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createBackend, listen } from '../../examples/platform-backend/main.js';
import { buildPackage } from '../../src/testing/index.js';
import { packBoardCheck } from '../../src/cli/quickstart/package.js';
import { drawBoard } from '../../src/cli/quickstart/board.js';
import { fill, writePng } from '../../src/cli/picture/picture.js';
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

/** What is seen in the middle of a pixel of the picture, boxes and all. */
async function colourSeen(page: Page, x: number, y: number): Promise<number[]> {
  const canvas = page.locator('#picture');
  await canvas.scrollIntoViewIfNeeded();
  const [seen, width] = [await canvas.boundingBox(), await canvas.getAttribute('width')];
  const scale = (seen?.width ?? 0) / Number(width);
  const at = { x: (seen?.x ?? 0) + (x + 0.5) * scale, y: (seen?.y ?? 0) + (y + 0.5) * scale };
  const shot = await page.screenshot({
    clip: { x: Math.round(at.x), y: Math.round(at.y), width: 1, height: 1 },
  });
  return [...PNG.sync.read(shot).data.subarray(0, 3)];
}

/** A black picture, one bit a pixel. */
function bitmapFile(width: number, height: number): Buffer {
  const bytes = Buffer.alloc(62 + Math.ceil(width / 32) * 4 * height);
  bytes.write('BM');
  bytes.set(new Uint8Array(new Uint32Array([bytes.length, 0, 62, 40, width, height, 0x10001]).buffer), 2);
  return bytes;
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
    const bright = drawBoard({ seed: 1 });
    for (const x of [0, 616])
      for (const y of [0, 456]) fill(bright, { x, y, width: 24, height: 24 }, [255, 255, 255]);
    const corners = path.join(folder, 'corners.png');
    await writePng(corners, bright);
    const good = path.join(folder, 'good.png');
    await writePng(good, drawBoard({ seed: 2 }));
    const large = path.join(folder, 'large.bmp');
    await writeFile(large, bitmapFile(8001, 8000));
    const small = path.join(folder, 'small.bmp');
    await writeFile(small, bitmapFile(64, 48));
    const text = path.join(folder, 'notes.txt');
    await writeFile(text, 'not a picture');
    const { url, close } = await listen(path.join(folder, 'station'), 0);
    onTestFinished(close);

    const shots = repositoryFile('build/screenshots');
    await mkdir(shots, { recursive: true });
    const page = await (await openBrowser()).newPage({ viewport: { width: 1280, height: 800 } });
    const shoot = (name: string) =>
      page.screenshot({ path: path.join(shots, `${name}.png`), fullPage: true });
    const thrown: Error[] = [];
    page.on('pageerror', (error) => thrown.push(error));
    const elsewhere: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith('data:')) elsewhere.push(request.url());
    });
    const heightOf = async (selector: string) => (await page.locator(selector).boundingBox())?.height;
    /** Inspects a file; what the verdict then says, as a screen reader is told it. */
    const verdictOf = async (file: string, verdict: string) => {
      await page.setInputFiles('#picture-file', file);
      const shown = page
        .locator(`#verdict[data-verdict="${verdict}"]`)
        .filter({ hasText: path.basename(file) });
      await shown.waitFor(PATIENCE);
      await page.locator('#picture-file:enabled').waitFor({ state: 'attached' });
      return page.getByRole('status').filter({ hasText: verdict }).textContent();
    };

    await page.goto(url);
    await page.getByText('Nothing is deployed yet').waitFor();
    await shoot('1-empty');
    expect(await page.locator('#picture').isVisible()).toBe(false);
    expect(await verdictOf(picture, 'FAULT')).toMatch(/activate it for a product first/);
    const before = [await heightOf('#drop'), await heightOf('#verdict'), await heightOf('#view')];
    await page.setInputFiles('#package-file', zip);
    await page.getByText('board-check 1.0.0 installed').waitFor(PATIENCE);
    expect(await page.evaluate(`document.querySelector('#progress').value`)).toBe(1);
    await page.getByRole('button', { name: 'activate' }).click();
    await page.getByRole('cell', { name: 'BOARD-7' }).waitFor(PATIENCE);
    expect(await page.inputValue('#pid')).toBe('BOARD-7');

    await page.focus('#picture-file');
    expect(await verdictOf(picture, 'NG')).toMatch(
      /NG\s+1 place unlike the reference\s+board\.png · BOARD-7/,
    );
    expect(await colourSeen(page, 352, 288)).toEqual([229, 57, 53]);
    expect(await page.locator('#boxes li').count()).toBe(1);
    await page.locator('#workers [data-state="idle"]').waitFor(PATIENCE);
    await page.locator('#packages [data-state="running"]').waitFor(PATIENCE);
    await shoot('2-inspection');
    expect(await page.evaluate('document.activeElement.id')).toBe('picture-file');

    await verdictOf(corners, 'NG');
    const outside = await page.evaluate(`(() => {
      const frame = document.querySelector('#picture').getBoundingClientRect();
      return [...document.querySelectorAll('.label')].map((label) => {
        const { left, top, right, bottom } = label.getBoundingClientRect();
        return Math.max(frame.left - left, frame.top - top, right - frame.right, bottom - frame.bottom) > 0.5;
      });
    })()`);
    expect(outside).toEqual([false, false, false, false]);
    await shoot('3-corners');
    expect(await verdictOf(good, 'OK')).toMatch(/Nothing found/);
    for (const [file, fault] of [
      [small, /algorithm error: the picture is 64x48, the reference 640x480/],
      [text, /notes\.txt is not a picture: choose a PNG/],
      [large, /large\.bmp is 8001 × 8000, .* crop it or scale it down/],
    ] as const) {
      expect(await verdictOf(file, 'FAULT')).toMatch(fault);
    }
    expect(await page.locator('#picture').isVisible()).toBe(false);

    await page.setInputFiles('#package-file', newer);
    await page.getByText('board-check 1.1.0 installed').waitFor(PATIENCE);
    await page.getByRole('button', { name: 'switch' }).click();
    const row = page.getByRole('row').filter({ hasText: '1.1.0' }).filter({ hasText: 'BOARD-7' });
    await row.waitFor(PATIENCE);
    await page.locator('#workers').getByText('1.1.0').waitFor(PATIENCE);
    await shoot('4-switched');

    await page.setInputFiles('#package-file', picture);
    const alert = page.getByRole('alert');
    await alert.getByText('invalid zip 2001').waitFor(PATIENCE);
    expect(await alert.textContent()).toMatch(/not a zip/);
    await shoot('5-refused');
    expect([await heightOf('#drop'), await heightOf('#verdict'), await heightOf('#view')]).toEqual(before);
    expect(thrown).toEqual([]);
    expect(elsewhere).toEqual([]);
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

test('a page that is left, whichever way it shows, is told no further status', async () => {
  const { handle, close } = await createBackend(await temporaryFolder());
  onTestFinished(close);
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  type Leave = (reader: ReadableStreamDefaultReader, gone: AbortController) => Promise<void> | void;
  const ways: Leave[] = [
    (reader) => reader.cancel(),
    (_, gone) => gone.abort(),
    async (reader, gone) => {
      await reader.cancel();
      gone.abort();
    },
  ];
  for (const leave of ways) {
    const gone = new AbortController();
    const { body } = await handle(new Request('http://localhost/status', { signal: gone.signal }));
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toMatch(/^data: /);
    expect(vi.getTimerCount()).toBe(1);
    await leave(reader, gone);
    await expect.poll(() => vi.getTimerCount()).toBe(0);
  }
});

test('the backend is one short file', async () => {
  const text = await readFile(repositoryFile('examples/platform-backend/main.ts'), 'utf8');
  expect(text.split('\n').length).toBeLessThan(150);
});
