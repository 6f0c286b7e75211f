import type { OperationOptions } from '../abort.js';
import type { SafeEmitter } from '../emitter.js';
import { RunnerError } from '../errors.js';
import type { VersionRef } from '../package/types.js';
import { productIdOf, productIdsOf, type ProductIdList, type ProductIdName } from '../product-ids.js';
import { barFor, checkNotBarred, stepBackFrom, unbar, type SwitchBack } from './barring.js';
import {
  checkSupported,
  checkUnclaimed,
  drop,
  findEntry,
  findMapping,
  isSame,
  remap,
  stepBack,
  withParams,
  type CheckedChange,
  type MappingChange,
} from './mappings.js';
import type { RegistryEvents } from './events.js';
import { doors, type PolicyChange } from './options.js';
import type { ChangeAndLog } from './logged-changes.js';
import { checkKeptParams, checkParams, type ParamsChange } from './params.js';
import { setPolicy } from './policies.js';
import type { RegistryContent } from './registry-file.js';
import type { ActiveMapping } from './types.js';

type Options<Change> = Change & OperationOptions;

/**
 * The changes that an operator makes: each checks its options, is one commit, and is in the audit log. What each does and
 * throws is with the method of {@link Registry} of its name.
 */
export class OperatorChanges {
  readonly #commit: ChangeAndLog;
  readonly #events: Pick<SafeEmitter<RegistryEvents>, 'emit'>;

  constructor(commit: ChangeAndLog, events: Pick<SafeEmitter<RegistryEvents>, 'emit'>) {
    this.#commit = commit;
    this.#events = events;
  }

  async activate(o: Options<MappingChange>): Promise<ActiveMapping[]> {
    const mappings = await this.#map('activate', o, checkUnclaimed);
    this.#events.emit('activated', mappings);
    return mappings;
  }

  async switch(o: Options<MappingChange>): Promise<ActiveMapping[]> {
    const mappings = await this.#map('switch', o, () => undefined);
    this.#events.emit('switched', mappings);
    return mappings;
  }

  async deactivate(o: Options<ProductIdList & { operator?: string }>): Promise<void> {
    doors().deactivate.check(o);
    const { operator, signal } = o;
    const pids = productIdsOf(doors().deactivate.call, o);
    const removed = await this.#commit('deactivate', { pids, operator }, { signal }, (content) => {
      const mappings = pids.map((pid) => findMapping(content, pid, ', so there is nothing to deactivate'));
      drop(content, mappings);
      return structuredClone(mappings);
    });
    this.#events.emit('deactivated', removed);
  }

  /**
   * `step`: what is meant. Where somebody has made it since it was decided (a trial that was failed), it is not made again, and
   * no other is made in its place.
   *
   * @throws RunnerError `superseded`
   */
  async rollback(
    o: Options<ProductIdName & { operator?: string }>,
    step?: Record<'from' | 'to', VersionRef>,
  ): Promise<ActiveMapping> {
    doors().rollback.check(o);
    const { operator, signal } = o;
    const pid = productIdOf(doors().rollback.call, o);
    const back = await this.#commit('rollback', { pids: [pid], operator }, { signal }, (content) => {
      const now = findMapping(content, pid);
      if (step && isSame(now, step.to) && !isSame(now, step.from)) return structuredClone(now);
      const mapping = stepBack(content, pid, operator, new Date().toISOString());
      if (step) checkStep(now, mapping, step);
      content.active[pid] = mapping;
      return structuredClone(mapping);
    });
    this.#events.emit('rolledBack', back);
    return back;
  }

  async switchBack(o: Options<SwitchBack>): Promise<ActiveMapping[]> {
    doors().switchBack.check(o);
    const { from, reason, operator, signal } = o;
    const change = { pids: productIdsOf(doors().switchBack.call, o), from, reason, operator };
    const about = { ...from, pids: change.pids, reason, operator };
    const back = await this.#commit('switch back', about, { signal }, (content) => {
      const mappings = stepBackFrom(content, change, new Date().toISOString());
      for (const mapping of mappings) content.active[mapping.pid] = mapping;
      return structuredClone(mappings);
    });
    for (const mapping of back) this.#events.emit('rolledBack', mapping);
    return back;
  }

  /** Bars a version that did not stand its trial for product ids that were never mapped to it. Ids that are not active are left out. */
  async bar(o: Options<SwitchBack>): Promise<void> {
    doors().switchBack.check(o);
    const { from, reason, operator, signal } = o;
    const pids = productIdsOf(doors().switchBack.call, o);
    await this.#commit('bar', { ...from, pids, reason, operator }, { signal }, (content) => {
      barFor(content, { from, reason, pids }, new Date().toISOString());
    });
  }

  async setParams(o: Options<ParamsChange>): Promise<void> {
    doors().setParams.check(o);
    const { productId, operator, signal } = o;
    const params = structuredClone(o.params);
    const about = { pids: [productId], operator, params };
    const { name, version } = await this.#commit('set params', about, { signal }, (content) => {
      const mapping = findMapping(content, productId);
      checkParams(findEntry(content, mapping.name, mapping.version), params);
      content.active[productId] = withParams(mapping, params);
      return mapping;
    });
    this.#events.emit('paramsSet', { name, version, productId, params });
  }

  async configure(o: Options<PolicyChange>): Promise<void> {
    doors().configure.check(o);
    const { name, version, policy, operator, signal } = o;
    const about = { name, version, pids: [], operator, policy };
    await this.#commit('configure', about, { signal }, (content) => {
      findEntry(content, name, version);
      const configured_at = new Date().toISOString();
      setPolicy(content, { name, version, policy: structuredClone(policy), configured_at, operator });
    });
    this.#events.emit('configured', { name, version, policy });
  }

  /** Binds product ids to a version, all of them or none. `check` refuses what the operation does not allow. */
  #map(
    operation: 'activate' | 'switch',
    o: Options<MappingChange>,
    check: (content: RegistryContent, change: CheckedChange) => void,
  ): Promise<ActiveMapping[]> {
    doors()[operation].check(o);
    const { name, version, operator, force, params, signal } = o;
    const pids = productIdsOf(doors()[operation].call, o);
    const change = { name, version, pids, operator, ...(params && { params: structuredClone(params) }) };
    return this.#commit(operation, { ...change, force }, { signal }, (content) => {
      const entry = findEntry(content, name, version);
      checkSupported(entry, pids);
      check(content, change);
      checkKeptParams(entry, pids, content.active, params);
      if (!force) checkNotBarred(content, change);
      const mappings = remap(content, change, new Date().toISOString());
      for (const mapping of mappings) {
        if (force) unbar(mapping);
        content.active[mapping.pid] = mapping;
      }
      return structuredClone(mappings);
    });
  }
}

/** Somebody else may have moved the id since the step was decided: one step back from there leads elsewhere. */
function checkStep(
  now: ActiveMapping,
  back: ActiveMapping,
  { from, to }: Record<'from' | 'to', VersionRef>,
): void {
  if (isSame(now, from) && isSame(back, to)) return;
  const { pid } = back;
  throw new RunnerError(
    'superseded',
    `The rollback of ${pid} from ${from.name} ${from.version} to ${to.name} ${to.version} was given up before it changed ` +
      `anything: ${pid} was moved in the meantime, and is served by ${now.name} ${now.version}`,
    { details: { productIds: [pid], by: 'a change of the mapping' } },
  );
}
