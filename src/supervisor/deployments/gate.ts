import { RunnerError } from '../../errors.js';
import type { HeldDeployment } from './deployment-table.js';

/** Whether a supervisor still takes work. */
export class Gate {
  #isShut = false;

  /** Takes nothing more, for good. */
  shut(): void {
    this.#isShut = true;
  }

  /** @throws RunnerError `closed` */
  check(what: string): void {
    if (this.#isShut) throw new RunnerError('closed', `The supervisor was closed before ${what}`);
  }

  /** Retains a deployment. A deployment made during the close would outlive the supervisor. */
  async hold(work: () => Promise<HeldDeployment>): Promise<HeldDeployment> {
    const held = await work();
    if (this.#isShut) {
      held.letGo();
      await held.deployment.stop({ reason: 'closed' });
    }
    this.check('call');
    return held;
  }
}
