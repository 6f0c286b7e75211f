import type { Registry } from '../../registry/registry.js';
import type { Deployment } from '../deployments/deployment.js';
import type { Router } from '../deployments/router.js';

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
   *
   * @param o `sparePinned`: also not when it was started by name, be it meanwhile
   */
  retire(deployment: Deployment, o: { sparePinned?: boolean } = {}): Promise<void> {
    const retired = this.#retire(deployment, o.sparePinned ?? false);
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
  async #isMapped({ entry }: Deployment): Promise<boolean> {
    const mappings = Object.values(await this.#registry.active());
    return mappings.some(({ name, version }) => name === entry.name && version === entry.version);
  }

  async #retire(deployment: Deployment, sparePinned: boolean): Promise<void> {
    for (;;) {
      await this.#router.settled();
      await deployment.unheld();
      const isMapped = await this.#isMapped(deployment);
      // Between this look and the refusal nothing may have come: no time passes from here on.
      if (deployment.isEnding || deployment.isKept || isMapped) return;
      if (sparePinned && deployment.isPinned) return;
      if (!deployment.isHeld) return deployment.stop({ reason: 'no product id uses it', finishCalls: true });
    }
  }
}
