import type { FramePool } from '../../frames/frame-pool.js';
import type { VenvManager } from '../../python/venv-manager.js';
import type { Registry } from '../../registry/registry.js';
import type { Finding } from '../../runner/doctor/finding.js';
import type { AlgorithmSupervisor } from '../../supervisor/algorithm-supervisor.js';
import type { PackageValidator } from '../../validation/package-validator.js';

/** What of a host is looked at. */
interface Parts {
  registry: Registry;
  validator?: PackageValidator;
  supervisor?: AlgorithmSupervisor;
  venvs?: VenvManager;
  frames?: FramePool;
}

/** A version, or the whole station. */
export interface Asked {
  name?: string | undefined;
  version?: string | undefined;
  verify?: boolean | undefined;
}

/** A fix that did not work. */
export interface FailedFix {
  finding: Finding;
  error: unknown;
}

/** What fixes have done. */
export interface FixReport {
  /** Findings that are gone. */
  fixed: Finding[];
  failed: FailedFix[];
  /** What is found now. */
  findings: Finding[];
}

const keyOf = ({ id, what }: Finding) => `${id}\n${what}`;

/** Looks at the station one at a time: each starts Pythons and may read every file. The same question twice is one look. */
export class Examinations {
  readonly #underWay = new Map<string, Promise<Finding[]>>();
  #last: Promise<unknown> = Promise.resolve();

  /** @throws RunnerError as `doctor` */
  ask(parts: Parts, asked: Asked): Promise<Finding[]> {
    const key = JSON.stringify(asked);
    const same = this.#underWay.get(key);
    if (same) return same;
    const look = this.#inTurn(() => lookAt(parts, asked)).finally(() => {
      this.#underWay.delete(key);
    });
    this.#underWay.set(key, look);
    return look;
  }

  /**
   * Puts right what is found, one after the other, and looks again. A fix that fails is reported; the others are made all the same.
   *
   * @param isMeant - which findings; those without a fix are left alone
   * @param apply - runs a fix
   * @throws RunnerError as `doctor`
   */
  fix(
    parts: Parts,
    asked: Asked,
    {
      isMeant,
      apply,
    }: { isMeant: (finding: Finding) => boolean; apply: (finding: Finding) => Promise<void> },
  ): Promise<FixReport> {
    return this.#inTurn(async () => {
      const meant = (await lookAt(parts, asked)).filter((one) => one.fix && isMeant(one));
      const failed: FailedFix[] = [];
      for (const finding of meant) {
        await apply(finding).catch((error: unknown) => failed.push({ finding, error }));
      }
      const findings = await lookAt(parts, asked);
      const left = new Set(findings.map(keyOf));
      return { fixed: meant.filter((one) => !left.has(keyOf(one))), failed, findings };
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

async function lookAt(
  { registry, validator, venvs, frames, supervisor }: Parts,
  { name, version, verify = false }: Asked,
): Promise<Finding[]> {
  const { examine } = await import('../../runner/examine.js');
  const { integrity } = validator ?? {};
  const python = venvs?.given?.slice();
  const only = name !== undefined && version !== undefined ? { name, version } : {};
  const own = {
    ...(python && { python }),
    ...(integrity && { integrity }),
    ...(frames && { frames: frames.given }),
  };
  return examine(
    registry.layout,
    { ...only, verify, ...own },
    { ...(supervisor && { supervisor }), ...(validator && { validator }) },
  );
}
