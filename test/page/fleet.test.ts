import { describe, expect, test } from 'vitest';
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
import { livingFleet } from '../support/living-fleet.js';

const [PHONE = { width: 390, height: 844 }] = SIZES;
const HOSTILE = '<img src=x onerror=alert(1)>';

/** A plant with a rollout whose first wave waits for approval; its fourth station is away, its third stays on the way and has a hostile reason. */
async function plant() {
  const fleet = livingFleet({ staying: ['s3'] });
  const [, , third, fourth] = fleet.stations;
  if (!third || !fourth) throw new Error('there are four stations');
  Object.assign(third.report, { reason: HOSTILE, quarantined: { 'check@1.9.0': HOSTILE } });
  await fleet.begin();
  await fleet.pass(3_000);
  fourth.isOnline = false;
  await fleet.pass(200_000);
  return { ...fleet, ...(await servedStation({ fleet: fleet.operator })) };
}

/** Opens the page at its view of the plant. */
async function openFleet(...[url, options]: Parameters<typeof openPage>) {
  const page = await openPage(url, options);
  await page.goto(`${url}#fleet`);
  return page;
}

describe.skipIf(!isBrowserThere)(`the page of a station that knows its plant${whyNoBrowser}`, () => {
  test('shows stations, who is offline since when, a rollout with its gates, and approves, halts and takes back after a question', async () => {
    const { url, pass, operator } = await plant();
    const page = await openFleet(url);
    const view = page.locator('section[data-view="fleet"]');
    await view.locator('tbody tr', { hasText: 's4' }).locator('time').waitFor(PATIENCE);
    expect(await view.locator('tbody tr', { hasText: 's4' }).textContent()).toContain('Offline since');
    expect(await view.locator('tbody tr', { hasText: 's3' }).textContent()).toContain(HOSTILE);
    expect(await view.locator('.plant .counts').textContent()).toContain('Offline 1');
    expect(await view.locator('.rollout tbody tr', { hasText: 'Approval' }).textContent()).toContain(
      'an operator must approve',
    );
    expect(await view.locator('.rollout label').textContent()).toContain('Wave 1 of 2');

    // By keyboard alone: the button, its question, and the focus back at the page.
    await view.getByRole('button', { name: 'Approve' }).focus();
    await page.keyboard.press('Enter');
    const question = page.locator('dialog.ask');
    await question.waitFor(PATIENCE);
    await page.keyboard.press('Escape');
    await question.waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Approve');
    await page.keyboard.press('Enter');
    await question.getByRole('button', { name: 'Approve' }).press('Enter');
    await page.locator('.notice').getByText('Done.').waitFor(PATIENCE);
    await pass(5_000);
    await view.locator('.rollout label', { hasText: 'Wave 2 of 2' }).waitFor(PATIENCE);

    await view.getByRole('button', { name: 'Halt' }).click();
    await question.getByLabel('Why').fill('lunch');
    await question.getByRole('button', { name: 'Halt' }).click();
    await view.locator('.rollout', { hasText: 'lunch (operator)' }).waitFor(PATIENCE);
    await view.getByRole('button', { name: 'Take back everywhere' }).click();
    await question.getByRole('button', { name: 'Take back everywhere' }).click();
    await view.locator('.plant', { hasText: 'Barred' }).waitFor(PATIENCE);
    expect((await operator.status()).bars).toMatchObject([{ name: 'check', version: '2.0.0' }]);

    await view.getByLabel('Search').fill('s4');
    await expect.poll(() => view.locator('tbody tr', { hasText: 's1' }).count()).toBe(0);
    expect(await view.locator('tbody tr', { hasText: 's4' }).count()).toBe(1);
  }, 120_000);

  test.each(['en', 'zh-CN'])('has no serious fault for axe, and fits 390 px, in %s', async (locale) => {
    const { url } = await plant();
    const page = await openFleet(url, { viewport: PHONE, locale });
    const view = page.locator('section[data-view="fleet"]');
    await view.locator('tbody tr', { hasText: 's4' }).first().waitFor(PATIENCE);
    await loadAxe(page);
    expect(await faultsOf(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(PHONE.width);
    const heading = await view.locator('h3').first().textContent();
    expect(/[\u4e00-\u9fff]/.test(heading ?? '')).toBe(locale === 'zh-CN');
  });

  test('is not there without a fleet, nor for a person who may not see it', async () => {
    for (const options of [
      {},
      { fleet: livingFleet().operator, authorize: (_: Request, action: string) => action !== 'fleet' },
    ]) {
      const { url } = await servedStation(options);
      const page = await openFleet(url);
      await page.locator('section[data-view="inspect"]').waitFor(PATIENCE);
      expect(await page.locator('nav a[href="#fleet"]').isVisible()).toBe(false);
      expect(await page.locator('section[data-view="fleet"]').isVisible()).toBe(false);
    }
  });
});
