import type { OperationOptions } from '../abort.js';
import { throwIfAborted } from '../abort.js';
import { RunnerError } from '../errors.js';
import { pixelsOf } from '../frames/pixels-of.js';
import type { Durability } from '../store/atomic-file.js';
import type { StoreLayout } from '../store/layout.js';
import { onStore } from '../store/store-error.js';
import { GuideFolder, type Guide, type GuidePlace, type GuideSource } from './guides.js';
import { doors } from './options.js';
import type { LoggedChanges } from './logged-changes.js';

/** Sets and removes guides: checked, under the store's lock, and in the audit log. */
export class GuideRegister {
  readonly #folder: GuideFolder;
  readonly #changes: LoggedChanges;

  constructor(layout: StoreLayout, durability: Durability, changes: LoggedChanges) {
    this.#folder = new GuideFolder(layout, durability);
    this.#changes = changes;
  }

  /** See {@link Registry.setGuide}. */
  async set(o: GuideSource & OperationOptions): Promise<Guide> {
    doors().setGuide.check(o);
    const { productId, stepIndex, image, operator, signal } = o;
    const pixels = await pixelsOf(image, { signal });
    const about = { pids: [productId], step_index: stepIndex, operator };
    return this.#changes.exclusive('set guide', about, { signal }, () => this.#folder.write(o, pixels));
  }

  /** See {@link Registry.guide}. */
  async get(productId: string, stepIndex: number, o: OperationOptions): Promise<Guide | undefined> {
    doors().guide.check({ ...o, productId, stepIndex });
    throwIfAborted(o.signal, 'look-up');
    return onStore(`read the guide of ${productId}`, () => this.#folder.read(productId, stepIndex, o));
  }

  /** See {@link Registry.removeGuide}. */
  async remove(o: GuidePlace & OperationOptions): Promise<void> {
    doors().removeGuide.check(o);
    const { productId, stepIndex, operator, signal } = o;
    const about = { pids: [productId], step_index: stepIndex, operator };
    await this.#changes.exclusive('remove guide', about, { signal }, async () => {
      if (await this.#folder.remove(productId, stepIndex)) return;
      throw new RunnerError('not_found', `${productId} has no guide picture for step ${stepIndex}`, {
        details: { productIds: [productId] },
      });
    });
  }
}
