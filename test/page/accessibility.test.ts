import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { FakeWorker } from '../../src/testing/index.js';
import {
  isBrowserThere,
  openPage,
  PATIENCE,
  servedStation,
  SIZES,
  whyNoBrowser,
} from '../support/browser.js';

/** The part of an answer of axe that is read. */
interface AxeResults {
  violations: { id: string; impact: string; nodes: { html: string; failureSummary?: string }[] }[];
}

/** What axe finds that is serious, by its rule and place. */
async function faultsOf(page: Page): Promise<string[]> {
  const { violations } = await page.evaluate<AxeResults>(
    'axe.run(document, { resultTypes: ["violations"] })',
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ''}`),
    );
}

describe.skipIf(!isBrowserThere)(`axe and the page in a browser${whyNoBrowser}`, () => {
  test.each(SIZES)('at $width pixels no view and no dialog has a serious fault', async (viewport) => {
    const fake = new FakeWorker();
    onTestFinished(() => fake.close());
    const { url, registry, supervisor } = await servedStation();
    await deployVersion(registry, { name: 'scripted', worker: fake });
    await registry.activate({ name: 'scripted', version: '1.0.0', productIds: ['A01'] });
    await supervisor.start('scripted', '1.0.0');
    const page = await openPage(url, { viewport, locale: viewport.width === 768 ? 'zh-CN' : 'en' });
    await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core'), 'utf8'));
    await page.locator('#lamp[data-state="serving"]').waitFor(PATIENCE);
    const image = { data: new Uint8Array(12), width: 2, height: 2 };
    await supervisor.execute({ productId: 'A01', stepIndex: 1, image });
    await page
      .locator('.counts')
      .waitFor(viewport.width === 1920 ? PATIENCE : { ...PATIENCE, state: 'attached' });
    for (const name of ['inspect', 'history', 'versions', 'metrics', 'logs', 'doctor']) {
      await page.locator(`nav a[href="#${name}"]`).click();
      if (name === 'doctor') await page.locator('.findings .badge').first().waitFor(PATIENCE);
      expect([name, await faultsOf(page)]).toEqual([name, []]);
    }
    await page.locator('nav a[href="#versions"]').click();
    await page.locator('.deployed .line').click();
    expect(await faultsOf(page)).toEqual([]);
    await page.locator('dialog [data-w="uninstall"]').click();
    await page.locator('dialog.ask').waitFor();
    expect(await faultsOf(page)).toEqual([]);
  });
});
