import { chmod, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { PNG } from 'pngjs';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ResultEvent } from '../../src/types.js';
import { drawBoard } from '../../src/cli/quickstart/board.js';
import { packBoardCheck } from '../../src/cli/quickstart/package.js';
import { writePng } from '../../src/cli/picture/picture.js';
import { requireToken } from '../../src/cli/serve/token.js';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { buildPackage, FakeWorker } from '../../src/testing/index.js';
import {
  faultsOf,
  isBrowserThere,
  loadAxe,
  openPage,
  PATIENCE,
  servedStation,
  SIZES,
  whyNoBrowser,
} from '../support/browser.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { VenvManager } from '../../src/index.js';

/** The size of what is inspected, as an image of the library's and as a file. */
const [WIDTH, HEIGHT] = [64, 48];
const image = { data: new Uint8Array(WIDTH * HEIGHT * 3), width: WIDTH, height: HEIGHT };
const PYTHON = process.env.PROCVISION_TEST_PYTHON ?? 'python3';
const HOSTILE = '<img src=x onerror=alert(1)>';
const PICTURE = {
  name: 'board.png',
  mimeType: 'image/png',
  buffer: PNG.sync.write(new PNG({ width: WIDTH, height: HEIGHT })),
};

/** A station whose version gives a verdict with a box, both with texts that would be HTML. */
async function scriptedStation(...served: Parameters<typeof servedStation>) {
  const fake = new FakeWorker();
  onTestFinished(() => fake.close());
  fake.answer('execute', {
    data: {
      result_status: 'NG',
      ng_reason: `scratch ${HOSTILE}`,
      defect_rects: [{ x: 10, y: 20, width: 20, height: 10, label: HOSTILE, score: 0.5 }],
    },
  });
  const station = await servedStation(...served);
  await deployVersion(station.registry, { name: 'scripted', worker: fake });
  await station.registry.activate({ name: 'scripted', version: '1.0.0', productIds: ['A01'] });
  await station.supervisor.start('scripted', '1.0.0');
  return { ...station, fake };
}

const ready = (page: Page, state = 'serving') =>
  page.locator(`#lamp[data-state="${state}"]`).waitFor(PATIENCE);
const view = (page: Page, name: string) => page.locator(`nav a[href="#${name}"]`).click();
const verdict = (page: Page, state: string) => page.locator(`.verdict[data-state="${state}"]`);

/** Elements of the page that lie over each other. */
const OVERLAPS = `(() => {
  const seen = [...document.querySelectorAll('header > *, nav a, .controls > *, .settings > *, .result > *')].filter((one) => one.checkVisibility());
  const boxes = seen.map((one) => one.getBoundingClientRect());
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  return seen.flatMap((one, at) => seen.slice(at + 1).filter((other, index) => over(boxes[at], boxes[at + 1 + index])).map((other) => one.outerHTML + other.outerHTML));
})()`;

describe.skipIf(!isBrowserThere)(`the page in a browser${whyNoBrowser}`, () => {
  test('a package is uploaded, activated and inspects with a parameter of its form; a bad one is refused with its traceback', async () => {
    const folder = await temporaryFolder();
    const zip = path.join(folder, 'board-check.zip');
    await writeFile(zip, await packBoardCheck(drawBoard({ seed: 1 })));
    const bad = path.join(folder, 'broken.zip');
    const source = `raise RuntimeError("no licence ${HOSTILE}")\n`;
    const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': source };
    await writeFile(bad, await buildPackage({ name: 'broken', version: '0.1.0', productIds: ['X'], files }));
    const picture = path.join(folder, 'without.png');
    await writePng(picture, drawBoard({ seed: 3, without: 'R2' }));
    const { url, registry, supervisor } = await servedStation();
    const page = await openPage(url);

    await ready(page, 'idle');
    await page.getByText('Nothing serves yet').waitFor(PATIENCE);
    await page.getByRole('link', { name: 'Install a package' }).click();
    await page.locator('section[data-view="versions"]').waitFor();
    await view(page, 'inspect');
    await page.setInputFiles('#picture', picture);
    await verdict(page, 'ERROR').getByText('No product is active').waitFor(PATIENCE);
    await view(page, 'versions');
    await page.getByText('No version. Install a package').waitFor();
    await page.setInputFiles('#package', bad);
    const refused = page.locator('.outcome .report');
    await refused.getByText('Refused').waitFor(PATIENCE);
    expect(await refused.locator('pre').textContent()).toContain(`RuntimeError: no licence ${HOSTILE}`);
    expect(await refused.locator('tbody tr').first().textContent()).toContain('entry_importFAIL');

    await page.setInputFiles('#package', zip);
    await page.locator('.outcome').getByText('Installed', { exact: true }).waitFor(PATIENCE);
    await page.getByRole('button', { name: 'Open it' }).click();
    await page.getByRole('button', { name: 'Activate' }).click();
    await page.locator('dialog.ask').getByRole('button', { name: 'Activate' }).click();
    await page.locator('dialog [data-w="state_serving"]').waitFor(PATIENCE);
    expect(Object.keys(await registry.active())).toEqual(['BOARD-7']);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.locator('dialog.ask').getByRole('button', { name: 'Cancel' }).click();
    expect(supervisor.status()).toMatchObject([{ state: 'running' }]);
    await page.keyboard.press('Escape');

    await view(page, 'inspect');
    const tolerance = page.getByLabel('tolerance');
    await tolerance.fill('250');
    await page.setInputFiles('#picture', picture);
    await verdict(page, 'OK').waitFor(PATIENCE);
    await tolerance.fill('');
    await page.getByRole('button', { name: 'Inspect it again' }).click();
    await verdict(page, 'NG').getByText('1 place unlike the reference').waitFor(PATIENCE);
    expect(await page.locator('.boxes li').allTextContents()).toEqual([
      expect.stringMatching(/^1 differs [\d.]+: 64 × 24 @ 352, 288$/),
    ]);
    await page.locator('img.thumb').nth(1).waitFor(PATIENCE);
    await tolerance.fill('12');
    await page.getByRole('button', { name: 'Keep', exact: true }).click();
    await expect.poll(() => registry.params('BOARD-7')).toEqual({ tolerance: 12 });
  }, 120_000);

  test('texts of others stay texts, a box is drawn where it is, and pictures of other callers are in the history', async () => {
    const { url, supervisor } = await scriptedStation();
    const page = await openPage(url);
    await ready(page);
    await page.setInputFiles('#picture', PICTURE);
    await verdict(page, 'NG').getByText(`scratch ${HOSTILE}`).waitFor(PATIENCE);
    expect(await page.locator('.verdict strong').textContent()).toBe('✕ NG');
    expect(await page.locator('.boxes li').textContent()).toBe(`1 ${HOSTILE} 0.50: 20 × 10 @ 10, 20`);
    await page.locator('section[data-view="history"] img.thumb').waitFor(PATIENCE);
    expect(await page.locator('img:not(.thumb)').count()).toBe(0);
    // A picture that another caller sends has its small one too, after a reload as well.
    // Of a line that is faster than twenty pictures a second not every one is kept.
    const isKept = async () => {
      const { requestId } = await supervisor.execute({ productId: 'A01', stepIndex: 1, image });
      return (await fetch(`${url}thumbnails/${requestId}`)).ok;
    };
    await expect.poll(isKept).toBe(true);
    await page.locator('section[data-view="history"] img.thumb').nth(1).waitFor(PATIENCE);
    await page.reload();
    await page.locator('section[data-view="history"] img.thumb').nth(1).waitFor(PATIENCE);
    await page.locator('section[data-view="history"] .line').first().click();
    await page.locator('dialog img').waitFor();
    await page.keyboard.press('Escape');
    await page.setInputFiles('#picture', PICTURE);
    await verdict(page, 'NG').waitFor(PATIENCE);
    // The middle of the left side of the box, on the canvas as it is shown.
    const colour = await page.evaluate<number[]>(`(() => {
      const canvas = document.querySelector('canvas');
      const scale = canvas.width / 64;
      return [...canvas.getContext('2d').getImageData(Math.round(10 * scale) - 2, Math.round(25 * scale), 1, 1).data.slice(0, 3)];
    })()`);
    expect(colour).toEqual([220, 40, 40]);
  });

  test('the station that goes away, or a proxy in its place, is said to be away, and what came in between is shown when it is back', async () => {
    let isBroken = false;
    const { url, up, down, supervisor, registry } = await scriptedStation(
      {},
      (handle) => async (request) =>
        isBroken ? new Response('Bad Gateway', { status: 502 }) : handle(request),
    );
    const page = await openPage(url);
    await ready(page);
    isBroken = true;
    await ready(page, 'away');
    isBroken = false;
    await ready(page);
    await down();
    await page.locator('#away').waitFor(PATIENCE);
    await ready(page, 'away');
    await supervisor.execute({ productId: 'A01', stepIndex: 1, image });
    await registry.deactivate({ productIds: ['A01'] });
    await up();
    await ready(page, 'idle');
    expect(await page.locator('#away').isVisible()).toBe(false);
    await page.locator('section[data-view="history"] .badge', { hasText: 'NG' }).nth(1).waitFor(PATIENCE);
    expect(await page.locator('section[data-view="history"] .row').count()).toBe(1);
  });

  test('a station with a token asks for it, again where it is wrong, and the tab alone keeps it', async () => {
    const token = 'a-token-of-a-station';
    const guard = requireToken(token);
    const { url } = await scriptedStation({ authorize: guard.authorize }, guard.around);
    const page = await openPage(url);
    for (const given of ['wrong-token-of-others', token]) {
      await page.getByLabel('Token').fill(given);
      await page.keyboard.press('Enter');
      if (given !== token) await expect.poll(() => page.getByLabel('Token').inputValue()).toBe('');
    }
    await ready(page);
    expect(await page.evaluate('[sessionStorage.token, JSON.stringify(localStorage)]')).toEqual([
      token,
      '{}',
    ]);
    await page.setInputFiles('#picture', PICTURE);
    await verdict(page, 'NG').waitFor(PATIENCE);
    await page.reload();
    await ready(page);
  });

  test('states are true: a version that crashes is quarantined with its reason, and the station not ready', async () => {
    const { url, fake, supervisor } = await scriptedStation();
    const page = await openPage(url);
    await ready(page);
    fake.answer('execute', (call) => call.process.exit(9));
    await supervisor.configure('scripted', '1.0.0', { retries: 0, maxCrashes: 1 });
    await page.setInputFiles('#picture', PICTURE);
    await verdict(page, 'ERROR')
      .getByText(/worker exited/)
      .waitFor(PATIENCE);
    await ready(page, 'notReady');
    await page.locator('#lamp').click();
    await page
      .locator('dialog')
      .getByText(/0 of 1 workers ready|failed/)
      .first()
      .waitFor(PATIENCE);
    await page.keyboard.press('Escape');
    await view(page, 'versions');
    await page.locator('.deployed .badge[data-state="quarantined"]').waitFor(PATIENCE);
    await page.locator('#language').click();
    await page.locator('.deployed').getByText('工作进程在调用中退出').waitFor(PATIENCE);
    await view(page, 'inspect');
    expect(await verdict(page, 'ERROR').locator('.failure strong').textContent()).toBe(
      '工作进程在调用中退出，正在重新启动',
    );
    expect(await verdict(page, 'ERROR').locator('.failure [lang="en"]').textContent()).toMatch(
      /left by itself with exit code 9/,
    );
  });

  test('a switch tries the new version with a picture first, puts it on trial, and is recorded with a name; a session is forgotten', async () => {
    const { url, fake, registry, supervisor } = await scriptedStation();
    fake.answer('execute', { data: { result_status: 'OK' } });
    await deployVersion(registry, { name: 'scripted', version: '2.0.0', worker: fake });
    const page = await openPage(url);
    await ready(page);
    await view(page, 'versions');
    await page.getByLabel('Your name').fill('eve');
    await page.locator('.deployed .line', { hasText: '2.0.0' }).click();
    await page.getByRole('button', { name: 'Activate' }).click();
    const question = page.locator('dialog.ask');
    await question.getByLabel('On trial').check();
    await question.getByLabel('Inspections until').fill('50');
    await question.getByLabel('Try it with a picture').check();
    await question.locator('input[name="warmUp"]').setInputFiles(PICTURE);
    await question.getByRole('button', { name: 'Activate' }).click();
    await page.locator('dialog [data-w="state_trial"]').waitFor(PATIENCE);
    await page.locator('dialog .notice').getByText('Done.').waitFor(PATIENCE);
    const found = supervisor.status().find(({ version }) => version === '2.0.0');
    expect(found?.latency.count).toBe(1);
    expect(found?.trial?.from).toMatchObject([{ version: '1.0.0' }]);
    expect((await registry.active()).A01).toMatchObject({ version: '2.0.0', operator: 'eve' });
    await page.getByRole('button', { name: 'Close circuit' }).click();
    await question.getByLabel('Session').fill('board-17');
    await question.getByRole('button', { name: 'Close circuit' }).click();
    await question.waitFor({ state: 'detached' });
  });

  test('a switch with a share gives the version its part of the calls, and the page shows its way up', async () => {
    const { url, fake, registry, supervisor } = await scriptedStation();
    await deployVersion(registry, { name: 'scripted', version: '2.0.0', worker: fake });
    const page = await openPage(url);
    await ready(page);
    await view(page, 'versions');
    await page.locator('.deployed .line', { hasText: '2.0.0' }).click();
    await page.getByRole('button', { name: 'Activate' }).click();
    const question = page.locator('dialog.ask');
    await question.getByLabel('On trial').check();
    await question.getByLabel('Share of the calls').fill('25');
    await question.getByRole('button', { name: 'Activate' }).click();
    await page.locator('dialog', { hasText: 'A01 25 % → 50 % → 100 %' }).waitFor(PATIENCE);
    await ready(page, 'trial');
    const { canary } = supervisor.status().find(({ version }) => version === '2.0.0') ?? {};
    expect(canary).toMatchObject([{ productIds: ['A01'], share: 0.25, steps: [0.5] }]);
    expect((await registry.active()).A01).toMatchObject({ version: '1.0.0' });
  });

  test('by keyboard alone a picture is inspected and a version stopped, after a question', async () => {
    const { url, supervisor } = await scriptedStation();
    const page = await openPage(url);
    const chosen = page.waitForEvent('filechooser', PATIENCE); // listened for long before: it takes the browser a moment
    await ready(page);
    /** Goes on with Tab until the element that has the focus is the one that is meant. */
    const tabTo = async (selector: string) => {
      for (let presses = 0; presses < 60; presses++) {
        if (await page.evaluate<boolean>(`document.activeElement?.matches(${JSON.stringify(selector)})`))
          return;
        await page.keyboard.press('Tab');
      }
      throw new Error(`Tab never comes to ${selector}`);
    };
    await tabTo('#picture');
    await page.keyboard.press('Enter');
    await (await chosen).setFiles(PICTURE);
    await verdict(page, 'NG').waitFor(PATIENCE);
    await page.keyboard.press('Shift+Tab');
    await tabTo('a[href="#versions"]');
    await page.keyboard.press('Enter');
    await tabTo('.deployed .line');
    await page.keyboard.press('Enter');
    await tabTo('dialog [data-w="stop"]');
    await page.keyboard.press('Enter');
    await page.locator('dialog.ask').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('dialog.ask').waitFor({ state: 'detached' });
    expect(supervisor.status()).toMatchObject([{ state: 'running' }]);
    await tabTo('dialog [data-w="stop"]');
    await page.keyboard.press('Enter');
    await page.locator('dialog.ask').waitFor();
    await tabTo('dialog.ask [type="submit"]');
    await page.keyboard.press('Enter');
    await expect.poll(() => supervisor.status().map(({ state }) => state)).not.toContain('running');
    await page.locator('.notice').getByText('Done.').waitFor(PATIENCE);
    await page.keyboard.press('Escape');
    expect(await page.evaluate('document.activeElement?.matches(".deployed .line")')).toBe(true);
  });

  test('500 versions and 10,000 verdicts are in the page as the rows in sight alone', async () => {
    const { url, registry, supervisor } = await scriptedStation();
    const [entry] = await registry.list();
    const versions = Array.from({ length: 500 }, (_, index) => `2.0.${index}`);
    const page = await openPage(url);
    await page.route('**/algorithms', async (route) =>
      route.fulfill({ json: versions.map((version) => ({ ...entry, version })) }),
    );
    await ready(page);
    const told = new Promise<ResultEvent>((resolve) => {
      supervisor.on('result', (event) => {
        if (event.phase === 'execute') resolve(event);
      });
    });
    await supervisor.execute({ productId: 'A01', stepIndex: 1, image });
    const event = await told;
    for (let sent = 0; sent < 10_000; sent += 500) {
      for (let index = sent; index < sent + 500; index++) {
        const data = { result_status: 'OK' as const };
        supervisor.emit('result', { ...event, result: { ...event.result, requestId: `r${index}`, data } });
      }
      await page
        .locator('.counts')
        .getByText(String(sent + 500))
        .waitFor(PATIENCE);
    }
    expect(await page.locator('section[data-view="history"] .row').count()).toBeLessThan(60);
    const list = page.locator('section[data-view="history"] .window');
    await page.evaluate(`document.querySelector('section[data-view="history"] .window').scrollTo(0, 1e9)`);
    await list.locator('[aria-posinset="10000"]').waitFor(PATIENCE);
    expect(await page.locator('section[data-view="history"] .row').count()).toBeLessThan(60);
    await view(page, 'versions');
    await page.locator('.count', { hasText: '500' }).waitFor(PATIENCE);
    expect(await page.locator('.deployed .row').count()).toBeLessThan(60);
    await page.getByRole('searchbox', { name: 'Search' }).first().fill('2.0.499');
    await page.locator('.deployed .row', { hasText: '2.0.499' }).waitFor();
    await expect.poll(() => page.locator('.deployed .row').count()).toBe(1);
    expect(await page.evaluate('document.querySelectorAll("*").length')).toBeLessThan(2_000);
  });

  test('at 390, 768 and 1920 pixels, in both languages, nothing is wider than the screen or lies over another, axe finds nothing serious, and the doctor mends what can be mended', async () => {
    const venvs = new VenvManager({ python: PYTHON });
    const { url, root } = await scriptedStation({ venvs });
    await chmod(root, 0o777);
    const page = await openPage(url);
    await loadAxe(page);
    await ready(page);
    await page.setInputFiles('#picture', PICTURE);
    await verdict(page, 'NG').waitFor(PATIENCE);
    for (const viewport of SIZES) {
      await page.setViewportSize(viewport);
      for (const title of ['检测工站', 'Inspection station']) {
        await page.locator('#language').click();
        expect(await page.title()).toBe(title);
        for (const name of ['history', 'versions', 'metrics', 'logs', 'doctor', 'inspect']) {
          await view(page, name);
          await page.locator(`section[data-view="${name}"]`).waitFor();
          if (name === 'doctor') await page.locator('.findings .badge').first().waitFor(PATIENCE);
          expect([name, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([
            name,
            viewport.width,
          ]);
          // The middle size in Chinese.
          if ((title === '检测工站') === (viewport.width === 768))
            expect([name, await faultsOf(page)]).toEqual([name, []]);
        }
        expect(await page.evaluate(OVERLAPS)).toEqual([]);
      }
      await view(page, 'logs');
      await page.locator('section[data-view="logs"] button.line', { hasText: 'activate' }).first().click();
      expect(await page.locator('dialog pre').textContent()).toMatch(/^activate .*A01/);
      await page.keyboard.press('Escape');
      await view(page, 'versions');
      await page.locator('.deployed .line').click();
      expect(await faultsOf(page)).toEqual([]);
      await page.locator('dialog [data-w="uninstall"]').click();
      await page.locator('dialog.ask').waitFor();
      expect(await faultsOf(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await page.locator('dialog.ask').waitFor({ state: 'detached' });
      await page.keyboard.press('Escape');
      await page.locator('dialog').waitFor({ state: 'detached' });
    }
    await view(page, 'doctor');
    const open = page.locator('.findings li', { hasText: 'store.writable-by-others' });
    await open.locator('.remedy').getByText('chmod -R go-w').waitFor(PATIENCE);
    await page.locator('#language').click();
    expect(await open.locator('strong').textContent()).toBe('其他用户可以修改存储，也就能改变运行的内容');
    await open.getByRole('button', { name: '修复' }).click();
    await page.locator('dialog.ask').getByRole('button', { name: '取消' }).click();
    expect((await stat(root)).mode & 0o022).toBe(0o022);
    await open.getByRole('button', { name: '修复' }).click();
    await page.locator('dialog.ask').getByRole('button', { name: '修复' }).click();
    await open.waitFor({ ...PATIENCE, state: 'detached' });
    await page.locator('.notice').getByText('已修复').waitFor(PATIENCE);
    expect((await stat(root)).mode & 0o022).toBe(0);
  }, 180_000);
});
