import type { FramePool } from '../../frames/frame-pool.js';
import type { Registry } from '../../registry/registry.js';
import type { Finding } from '../../runner/doctor/finding.js';
import type { AlgorithmSupervisor } from '../../supervisor/algorithm-supervisor.js';
import type { PackageValidator } from '../../validation/package-validator.js';

/** What of a host is looked at. */
interface Parts {
  registry: Registry;
  validator?: PackageValidator;
  supervisor?: AlgorithmSupervisor;
  frames?: FramePool;
}

interface Asked {
  name?: string | undefined;
  version?: string | undefined;
  verify?: boolean | undefined;
}

/** Looks at the station one at a time: each starts Pythons and may read every file. The same question twice is one look. */
export class Examinations {
  readonly #underWay = new Map<string, Promise<Finding[]>>();
  #last: Promise<unknown> = Promise.resolve();

  /** @throws RunnerError as `doctor` */
  ask({ registry, validator, frames, supervisor }: Parts, asked: Asked): Promise<Finding[]> {
    const key = JSON.stringify(asked);
    const same = this.#underWay.get(key);
    if (same) return same;
    const { name, version, verify = false } = asked;
    const look = this.#last.then(async () => {
      const { examine } = await import('../../runner/examine.js');
      const { integrity } = validator ?? {};
      const only = name !== undefined && version !== undefined ? { name, version } : {};
      const own = { ...(integrity && { integrity }), ...(frames && { frames: frames.given }) };
      return examine(registry.layout, { ...only, verify, ...own }, { ...(supervisor && { supervisor }) });
    });
    this.#underWay.set(key, look);
    this.#last = look
      .catch(() => undefined)
      .finally(() => {
        this.#underWay.delete(key);
      });
    return look;
  }
}
