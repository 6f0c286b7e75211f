import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { Archive } from '../package/archive-types.js';
import { checkIntegrity, type IntegrityPolicy, type SignatureState } from '../package/integrity.js';
import type { CheckList } from './check-list.js';
import type { Inspected } from './inspect.js';

/**
 * The check `integrity`, in its two parts: the signature before anything of the package is looked into, the hashes of
 * the wheels once it is known which there are.
 */
export class IntegrityCheck {
  readonly #archive: Archive;
  readonly #policy: IntegrityPolicy;
  readonly #o: OperationOptions & { checks: CheckList };
  readonly #findings: string[] = [];
  #signature: SignatureState = 'not_checked';

  constructor(archive: Archive, policy: IntegrityPolicy, o: OperationOptions & { checks: CheckList }) {
    this.#archive = archive;
    this.#policy = policy;
    this.#o = o;
  }

  /** Fails the check where the policy refuses the signature. */
  async signature(): Promise<void> {
    if (this.#policy.mode === 'off') return;
    await this.#try(async () => {
      const report = await checkIntegrity(this.#archive, this.#policy, { signal: this.#o.signal });
      this.#signature = report.signature;
      this.#findings.push(...report.findings);
    });
  }

  /** Ends the check; what a lenient policy lets pass goes among the warnings. */
  async wheels({ inspection, layout, warnings }: Inspected): Promise<void> {
    const { checks, signal } = this.#o;
    if (checks.has('integrity')) return;
    const { mode, keySet } = this.#policy;
    if (mode === 'off') {
      checks.skip('integrity', 'switched off');
      return;
    }
    const entries = new Map(
      layout.wheelFiles.map((entry) => [entry.name.slice(entry.name.lastIndexOf('/') + 1), entry]),
    );
    const wheels = (inspection?.wheels ?? []).flatMap((wheel) => {
      const entry = entries.get(wheel.file);
      return entry ? [{ entry, wheel }] : [];
    });
    await this.#try(async () => {
      const { requirements } = inspection ?? {};
      // With a key set the signature once more, now that the package has said what it is: the digest is known by now.
      const policy = { mode, ...(keySet && { keySet }) };
      const named = inspection && { package: { name: inspection.name, version: inspection.version } };
      const report = await checkIntegrity(this.#archive, policy, { wheels, requirements, signal, ...named });
      const { findings } = report;
      this.#findings.push(...findings.filter((finding) => !this.#findings.includes(finding)));
    });
    if (checks.has('integrity')) return;
    warnings.push(...this.#findings);
    checks.pass(
      'integrity',
      this.#findings.length > 0 ? this.#findings.join('; ') : `signature ${this.#signature}`,
    );
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // A key that is none is the host's mistake, not the package's.
      if (!RunnerError.is(error, 'invalid_zip')) throw error;
      this.#o.checks.fail('integrity', error);
    }
  }
}
