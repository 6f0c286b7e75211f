import type { Durability } from '../store/atomic-file.js';
import type { PackageState } from './types.js';
import type { OperationOptions } from '../abort.js';
import {
  abortSignal,
  choice,
  Door,
  duration,
  flag,
  group,
  must,
  name,
  option,
  productId,
  productIds,
  text,
  whole,
  lazily,
  values,
} from '../options.js';
import type { VersionRef } from '../package/types.js';
import type { ImageInput } from '../frames/types.js';
import type { GuideInfo, GuidePlace, GuideSource } from './guides.js';
import type { ProductIdList, ProductIdName } from '../product-ids.js';
import type { SwitchBack } from './barring.js';
import { isRecord } from '../arguments.js';
import type { MappingChange } from './mappings.js';
import type { ParamsChange } from './params.js';

/** Options of {@link Registry.open}. */
export interface RegistryOptions extends OperationOptions {
  /** `none` does not wait for the disk: for tests. @defaultValue 'full' */
  durability?: Durability;
  /** How often a change by another process is looked for. @defaultValue 500 */
  pollMs?: number;
  /** How long to wait for another process that holds the store. @defaultValue 30_000 */
  lockTimeoutMs?: number;
}

/** Which deployed versions to list. */
export interface RegistryFilter {
  /** Versions of this package alone. */
  name?: string;
  /** Versions in this state alone. */
  state?: PackageState;
}

/** A policy for one version. */
export interface PolicyChange {
  /** The package's name. */
  name: string;
  version: string;
  /** Options of a supervisor's policy; an empty object removes what was set. */
  policy: Readonly<Record<string, unknown>>;
  /** Who asks, for the audit log. */
  operator?: string;
}

const ids = { productIds: productIds(), pids: productIds() };

const change = {
  ...{ name: name(), version: name(), ...ids },
  ...{ operator: text(), force: flag(), params: values(), signal: abortSignal() },
};

const guidePlace = {
  ...{ productId: name(), stepIndex: must(whole(0)), operator: text(), signal: abortSignal() },
};

function isGuideInfo(value: unknown): boolean {
  const isBox = (box: unknown) =>
    isRecord(box) && ['x', 'y', 'width', 'height'].every((side) => typeof box[side] === 'number');
  const isPlace = (place: unknown) =>
    isRecord(place) && Array.isArray(place.posList) && place.posList.every(isBox);
  return Array.isArray(value) && value.every(isPlace);
}

/** What each call of a `Registry` takes. */
export const doors = /* @__PURE__ */ lazily(() => ({
  open: new Door<RegistryOptions>('Registry.open(root, options)', {
    durability: choice('full', 'none'),
    pollMs: duration(1),
    lockTimeoutMs: duration(),
    signal: abortSignal(),
  }),
  list: new Door<RegistryFilter>('registry.list(filter)', {
    name: text(),
    state: choice('discovered', 'validated', 'deployed', 'running', 'executing', 'invalid', 'stopped'),
  }),
  setGuide: new Door<GuideSource & OperationOptions>('registry.setGuide({ productId, stepIndex, image })', {
    ...guidePlace,
    image: must(option<ImageInput>('image', 'must be an image', isRecord)),
    info: option<GuideInfo>(
      'info',
      'must be a list of { label?, posList: [{ x, y, width, height }] }',
      isGuideInfo,
    ),
  }),
  guide: new Door<GuidePlace & OperationOptions>('registry.guide(productId, stepIndex)', guidePlace),
  removeGuide: new Door<GuidePlace & OperationOptions>(
    'registry.removeGuide({ productId, stepIndex })',
    guidePlace,
  ),
  setParams: new Door<ParamsChange & OperationOptions>('registry.setParams({ productId, params })', {
    ...{ productId: name(), params: must(values()), operator: text(), signal: abortSignal() },
  }),
  look: new Door<OperationOptions>('registry: the last argument', { signal: abortSignal() }),
  activate: new Door<MappingChange & OperationOptions>(
    'registry.activate({ name, version, productIds })',
    change,
  ),
  switch: new Door<MappingChange & OperationOptions>(
    'registry.switch({ name, version, productIds })',
    change,
  ),
  configure: new Door<PolicyChange & OperationOptions>('registry.configure({ name, version, policy })', {
    ...{ name: name(), version: name(), operator: text(), signal: abortSignal() },
    policy: must(option<Readonly<Record<string, unknown>>>('policy', 'must be an object', isRecord)),
  }),
  deactivate: new Door<ProductIdList & { operator?: string } & OperationOptions>(
    'registry.deactivate({ productIds })',
    { ...ids, operator: text(), signal: abortSignal() },
  ),
  switchBack: new Door<SwitchBack & OperationOptions>('registry.switchBack({ productIds, from, reason })', {
    ...ids,
    from: must(group<VersionRef>({ name: name(), version: name() })),
    ...{ reason: name(), operator: text(), signal: abortSignal() },
  }),
  rollback: new Door<ProductIdName & { operator?: string } & OperationOptions>(
    'registry.rollback({ productId })',
    { ...{ productId: productId(), pid: productId() }, operator: text(), signal: abortSignal() },
  ),
}));
