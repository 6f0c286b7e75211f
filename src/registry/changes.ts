import type { OperationOptions } from '../abort.js';
import type { ParameterValues } from '../parameters/types.js';
import type { VersionRef } from '../package/types.js';
import { productIdOf, productIdsOf, type ProductIdList, type ProductIdName } from '../product-ids.js';
import { checkNotBarred, stepBackFrom, unbar, type SwitchBack } from './barring.js';
import {
  checkSupported,
  drop,
  findEntry,
  findMapping,
  remap,
  stepBack,
  withParams,
  type CheckedChange,
  type MappingChange,
} from './mappings.js';
import { doors, type PolicyChange } from './options.js';
import { checkKeptParams, checkParams, type ParamsChange } from './params.js';
import { setPolicy } from './policies.js';
import type { RegistryContent } from './registry-file.js';
import type { SharedContent } from './shared-content.js';
import type { ActiveMapping } from './types.js';

/** The changes that an operator makes: each checks its options, is one commit, and is in the audit log. */

/** Binds product ids to a version, all of them or none. `check` refuses what the operation does not allow. */
export async function map(
  shared: SharedContent,
  operation: 'activate' | 'switch',
  o: MappingChange & OperationOptions,
  check: (content: RegistryContent, change: CheckedChange) => void,
): Promise<ActiveMapping[]> {
  doors()[operation].check(o);
  const { name, version, operator, force, params, signal } = o;
  const pids = productIdsOf(doors()[operation].call, o);
  const change = { name, version, pids, operator, ...(params && { params: structuredClone(params) }) };
  return shared.logged(operation, { ...change, force }, { signal }, (content) => {
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

/** Unbinds product ids, all of them or none; gives the mappings that they had. */
export async function deactivate(
  shared: SharedContent,
  o: ProductIdList & { operator?: string } & OperationOptions,
): Promise<ActiveMapping[]> {
  doors().deactivate.check(o);
  const { operator, signal } = o;
  const pids = productIdsOf(doors().deactivate.call, o);
  return shared.logged('deactivate', { pids, operator }, { signal }, (content) => {
    const mappings = pids.map((pid) => findMapping(content, pid, ', so there is nothing to deactivate'));
    drop(content, mappings);
    return structuredClone(mappings);
  });
}

/** Goes back to the version that served the product id before. */
export async function rollback(
  shared: SharedContent,
  o: ProductIdName & { operator?: string } & OperationOptions,
): Promise<ActiveMapping> {
  doors().rollback.check(o);
  const { operator, signal } = o;
  const pid = productIdOf(doors().rollback.call, o);
  return shared.logged('rollback', { pids: [pid], operator }, { signal }, (content) => {
    const back = stepBack(content, pid, operator, new Date().toISOString());
    content.active[pid] = back;
    return structuredClone(back);
  });
}

/** Goes back from a version that did not stand its trial, in one commit for all of its product ids. */
export async function switchBack(
  shared: SharedContent,
  o: SwitchBack & OperationOptions,
): Promise<ActiveMapping[]> {
  doors().switchBack.check(o);
  const { from, reason, operator, signal } = o;
  const change = { pids: productIdsOf(doors().switchBack.call, o), from, reason, operator };
  const about = { ...from, pids: change.pids, reason, operator };
  return shared.logged('switch back', about, { signal }, (content) => {
    const back = stepBackFrom(content, change, new Date().toISOString());
    for (const mapping of back) content.active[mapping.pid] = mapping;
    return structuredClone(back);
  });
}

/** Keeps parameters for a product id; gives the version that serves it and what is kept now. */
export async function setParams(
  shared: SharedContent,
  o: ParamsChange & OperationOptions,
): Promise<VersionRef & { params: ParameterValues }> {
  doors().setParams.check(o);
  const { productId, operator, signal } = o;
  const params = structuredClone(o.params);
  const about = { pids: [productId], operator, params };
  return shared.logged('set params', about, { signal }, (content) => {
    const mapping = findMapping(content, productId);
    const { name, version } = mapping;
    checkParams(findEntry(content, name, version), params);
    content.active[productId] = withParams(mapping, params);
    return { name, version, params };
  });
}

/** Keeps a policy for a version. */
export async function configure(shared: SharedContent, o: PolicyChange & OperationOptions): Promise<void> {
  doors().configure.check(o);
  const { name, version, policy, operator, signal } = o;
  const about = { name, version, pids: [], operator, policy };
  await shared.logged('configure', about, { signal }, (content) => {
    findEntry(content, name, version);
    const configured_at = new Date().toISOString();
    setPolicy(content, { name, version, policy: structuredClone(policy), configured_at, operator });
  });
}
