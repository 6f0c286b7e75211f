import type { Registry } from '../../registry/registry.js';
import type { Deployment } from '../deployment.js';
import type { Router } from '../router.js';

/** Ends deployments that no product id is served by, without losing a call. */
export class Retirement {
  readonly #registry: Registry;
  readonly #router: Router;
  readonly #underWay = new Set<Promise<void>>();

  constructor(registry: Registry, router: Router) {
    this.#registry = registry;
    this.#router = router;
  }

  /**
   * Waits until a deployment has no call left and stops it, unless a product id is served by it or somebody keeps it.
   * Calls that looked up their version before it was remapped are waited for first: they will still come to it.
   */
  retire(deployment: Deployment): Promise<void> {
    const retired = this.#retire(deployment);
    this.#underWay.add(retired);
    const done = () => this.#underWay.delete(retired);
    retired.then(done, done);
    return retired;
  }

  /** Resolves when every retirement that was begun has ended, however it ended. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
  }

  /** Whether a product id is mapped to the version. */
  async isMapped({ entry }: Deployment): Promise<boolean> {
    const mappings = Object.values(await this.#registry.active());
    return mappings.some(({ name, version }) => name === entry.name && version === entry.version);
  }

  async #retire(deployment: Deployment): Promise<void> {
    for (;;) {
      await this.#router.settled();
      await deployment.unheld();
      if (deployment.isEnding || deployment.isKept || (await this.isMapped(deployment))) return;
      // Between the last look and now nothing may have come: from here to the refusal no time passes.
      if (!deployment.isHeld) return deployment.stop({ reason: 'no product id uses it', finishCalls: true });
    }
  }
}
