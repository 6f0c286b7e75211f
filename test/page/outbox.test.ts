import { expect, describe, onTestFinished, test } from 'vitest';
import { deliver, Outbox } from '../../src/outbox/index.js';
import { resultOf } from '../outbox/results.js';
import { isBrowserThere, openPage, PATIENCE, servedStation, whyNoBrowser } from '../support/browser.js';
import { Platform } from '../support/outbox/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

describe.skipIf(!isBrowserThere)(`the outbox in a browser${whyNoBrowser}`, () => {
  test('a picture that cannot be encoded is told with its time and its reason, in both languages, and what was given up by reason', async () => {
    const platform = await Platform.start();
    const outbox = await Outbox.open(await temporaryFolder(), { station: 'ws-1' });
    const delivery = await deliver(outbox, { http: { url: platform.url } });
    onTestFinished(async () => {
      await delivery.close();
      await outbox.close();
      await platform.close();
    });
    const image = { encoded: Buffer.from('no picture'), mimeType: 'image/png' };
    await outbox.record(resultOf('NG'), { productId: 'A01', stepIndex: 1, image });
    const { lastPictureFault } = await outbox.status();
    const { url } = await servedStation({ delivery });
    const page = await openPage(url);
    await page.locator('nav a[href="#outbox"]').click();
    const view = page.locator('[data-view="outbox"]');
    await view.getByText('The picture could not be encoded').waitFor(PATIENCE);
    await view.getByText(/^A picture could not be kept at .* Reason:$/).waitFor(PATIENCE);
    await view.getByText(lastPictureFault?.reason ?? 'none').waitFor(PATIENCE);
    expect(await view.getByText('The outbox was full').count()).toBe(0);
    await page.getByRole('button', { name: '中文' }).click();
    await view.getByText('图片无法编码').waitFor(PATIENCE);
  });
});
