import type { VenvManager } from '../python/venv-manager.js';
import type { ArchiveLimits, NameEncoding } from '../package/types.js';
import type { OperationOptions } from '../abort.js';
import { abortSignal, choice, Door, duration, flag, instance, option, text, lazily } from '../options.js';
import { NAME_ENCODINGS } from '../package/name-encodings.js';
import { integrityOptions, limitOptions } from '../package/options.js';
import type { IntegrityPolicy } from '../package/integrity.js';

/** Options of a {@link PackageValidator}. */
export interface PackageValidatorOptions {
  /** Interpreters and environments. @defaultValue a {@link VenvManager} of its own, made when first needed */
  venvs?: VenvManager;
  /** Bounds on what an archive may contain. */
  limits?: Partial<ArchiveLimits>;
  /** Whether `validate` runs the algorithm once. @defaultValue true */
  smoke?: boolean;
  /**
   * Limit of each step of the trial run: `get_info()`, the two calls of `pre_execute`, the two of `execute`.
   * @defaultValue 30_000
   */
  timeoutMs?: number;
  /** Limit of importing and constructing, and of `setup()`, which may load a model. @defaultValue `timeoutMs`, else 120_000 */
  loadTimeoutMs?: number;
  /**
   * Variables that the trial run gets beside those that it inherits: what `policy.env` of the supervisor gives to workers.
   * @defaultValue none
   */
  env?: Readonly<Record<string, string>>;
  /** What an exception in `setup()` is in the trial run: a failure, or a warning in the message of its check. @defaultValue 'fail' */
  setupErrors?: 'fail' | 'warn';
  /**
   * What becomes of boundary cases of the specification that the algorithm does not handle: pictures of a senseless size, a black
   * picture, a product id that is not supported and others that a trial run can show. `warn` has `validate` run them, and names
   * them in `warnings`; `fail` fails the check `boundary_cases`, so that an install refuses the package, too; `off` runs none.
   * @defaultValue 'warn'
   */
  boundaryCases?: 'off' | 'warn' | 'fail';
  /** Signature and wheel hashes. @defaultValue `{ mode: 'off' }` */
  integrity?: IntegrityPolicy;
  /**
   * What becomes of a package with a wheel that runs code at every start of its interpreter (`.pth` files with a line
   * `import …`, `.start` files). It runs in the bounds of the trial and of workers. `allow` names the files in a warning,
   * `refuse` fails the check `startup_code`. @defaultValue 'allow'
   */
  startupCode?: 'allow' | 'refuse';
  /**
   * Folder with the files that ship beside the modules of this library: a copy of its `dist`. For a bundle, which does not know
   * where they are; the same in every part of a process.
   * @defaultValue the variable `PROCVISION_ASSETS`, else the folder of the module
   */
  assets?: string;
}

function isEnvironment(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((text) => typeof text === 'string')
  );
}

/** How {@link PackageValidator.inspect} and {@link PackageValidator.validate} read a package. */
export interface ReadOptions extends OperationOptions {
  /** Each given bound overrides the validator's. */
  limits?: Partial<ArchiveLimits>;
  /** Encoding of names in the zip that do not declare one. @defaultValue detected from the names themselves */
  nameEncoding?: NameEncoding;
}

/** What each call of a `PackageValidator` takes. */
export const doors = /* @__PURE__ */ lazily(() => ({
  validator: new Door<PackageValidatorOptions>('new PackageValidator(options)', {
    venvs: instance('a VenvManager', 'select', 'create'),
    limits: limitOptions(),
    smoke: flag(),
    assets: text(),
    timeoutMs: duration(1),
    startupCode: choice('allow', 'refuse'),
    loadTimeoutMs: duration(1),
    env: option('environment', 'must be an object of strings', isEnvironment),
    setupErrors: choice('fail', 'warn'),
    boundaryCases: choice('off', 'warn', 'fail'),
    integrity: integrityOptions(),
  }),
  look: new Door<ReadOptions>('validator: the last argument', {
    limits: limitOptions(),
    nameEncoding: choice(...NAME_ENCODINGS),
    signal: abortSignal(),
  }),
}));
