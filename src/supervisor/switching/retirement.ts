import type { Registry } from '../../registry/registry.js';
import type { Deployment, Emit } from '../deployments/deployment.js';
import type { Router } from '../deployments/router.js';

/** Ends deployments that no product id is served by, without losing a call. */
export class Retirement {
  readonly #registry: Registry;
  readonly #router: Router;
  readonly #emit: Emit;
  readonly #underWay = new Set<Promise<void>>();

  constructor(o: { registry: Registry; router: Router; emit: Emit }) {
    this.#registry = o.registry;
    this.#router = o.router;
    this.#emit = o.emit;
  }

  /**
   * Waits until a deployment has no call left and stops it, unless a product id is served by it or somebody keeps it.
   * Calls that looked up their version before it was remapped are waited for first: they will still come to it.
   *
   * @param o `sparePinned`: also not when it was started by name, even during the wait
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

  async #stays(deployment: Deployment, sparePinned: boolean): Promise<boolean> {
    const isMapped = await this.#isMapped(deployment);
    return isMapped || deployment.isEnding || deployment.isKept || (sparePinned && deployment.isPinned);
  }

  async #retire(deployment: Deployment, sparePinned: boolean): Promise<void> {
    for (;;) {
      await this.#router.settled();
      // A version that serves another id stays. Its calls are not waited for: on a busy line they never end.
      if (await this.#stays(deployment, sparePinned)) return;
      await deployment.whenIdle();
      if (await this.#stays(deployment, sparePinned)) return;
      // No await from here to stop(): another retirement may have stopped it since that look, or a call may have come, which is
      // waited for once more.
      if (deployment.isEnding) return;
      if (deployment.isRetained) continue;
      const { name, version } = deployment.entry;
      await deployment.stop({ reason: 'no product id uses it', finishCalls: true });
      this.#emit('drained', { name, version });
      return;
    }
  }
}
