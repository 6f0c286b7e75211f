import { isRecord } from '../arguments.js';
import { doors as deployDoors } from '../deploy/options.js';
import { doors as frameDoors, type FramePoolOptions } from '../frames/options.js';
import type { ImageInput } from '../frames/types.js';
import {
  abortSignal,
  Door,
  duration,
  flag,
  group,
  lazily,
  name,
  option,
  text,
  whole,
  type Option,
  type Shape,
} from '../options.js';
import type { OperationOptions } from '../abort.js';
import type { VersionRef } from '../package/types.js';
import { doors as pythonDoors } from '../python/options.js';
import { doors as registryDoors } from '../registry/options.js';
import { isTraceparent, TRACEPARENT_RULE } from '../supervisor/calls/traceparent.js';
import { doors as supervisorDoors } from '../supervisor/options.js';
import { doors as validationDoors } from '../validation/options.js';
import type { DoctorOptions, EnsureOptions, InspectCallOptions, RunnerOptions } from './types.js';

/** Options of a part, but for those that the runner fills in itself. */
function part<T extends object, K extends keyof T>(
  shape: Shape<T>,
  ...own: readonly K[]
): Option<Omit<T, K> | undefined> {
  const rest = Object.entries(shape).filter(([key]) => !own.includes(key as K));
  return group<Omit<T, K>>(Object.fromEntries(rest) as unknown as Shape<Omit<T, K>>);
}

/** What each call of a `Runner` takes. */
export const doors = /* @__PURE__ */ lazily(() => ({
  open: new Door<RunnerOptions>('openRunner(root, options)', {
    registry: part(registryDoors().open.shape, 'signal'),
    venvs: part(pythonDoors().venvManager.shape),
    validator: part(validationDoors().validator.shape, 'venvs'),
    deployer: part(deployDoors().deployer.shape, 'registry', 'venvs', 'validator'),
    supervisor: part(supervisorDoors().supervisor.shape, 'registry', 'frames', 'outbox'),
    outbox: supervisorDoors().supervisor.shape.outbox,
    frames: part(frameDoors().framePool.shape),
    assets: text(),
    signal: abortSignal(),
  }),
  ensure: new Door<EnsureOptions>('runner.ensureInstalled(source, options)', {
    activate: option(
      'activate',
      'must be true, false or a list of product ids',
      (value) =>
        typeof value === 'boolean' || (Array.isArray(value) && value.every((id) => typeof id === 'string')),
    ),
    ...{ force: flag(), operator: text(), signal: abortSignal() },
  }),
  inspect: new Door<InspectCallOptions>('runner.inspect(productId, image, options)', {
    target: group<VersionRef>({ name: name(), version: name() }),
    stepIndex: whole(0),
    userParams: option('record', 'must be an object', isRecord),
    guideImage: option<ImageInput | string>('picture', "must be an image, a path or 'same'", isPicture),
    timeoutMs: duration(1),
    traceparent: option('traceparent', TRACEPARENT_RULE, isTraceparent),
    signal: abortSignal(),
  }),
  explain: new Door<OperationOptions>('explain(error, options)', { signal: abortSignal() }),
  doctor: new Door<DoctorOptions>('doctor(root, options)', {
    ...{ name: text(), version: text(), package: text(), verify: flag(), start: flag() },
    python: pythonDoors().venvManager.shape.python,
    integrity: validationDoors().validator.shape.integrity,
    frames: group<FramePoolOptions>(frameDoors().framePool.shape),
    signal: abortSignal(),
  }),
  look: new Door<OperationOptions>('runner: the last argument', { signal: abortSignal() }),
}));

/** An image, or the path of a picture. */
export function isPicture(value: unknown): boolean {
  return isRecord(value) || (typeof value === 'string' && value !== '');
}
