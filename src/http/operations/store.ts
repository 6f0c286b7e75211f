import { rm } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import type { DiscoveredPackage } from '../../deploy/types.js';
import { RunnerError } from '../../errors.js';
import type { ParameterValues } from '../../parameters/types.js';
import { audited } from '../../store/audit-log.js';
import { askedBy } from '../actions.js';
import { fields, force, noList, operator, packageName, readJson, refuseBody, text } from '../body.js';
import { RequestFault } from '../problem.js';
import { QUERIES, readQuery } from '../query.js';
import type { Call } from '../types.js';
import { asJson } from './as-json.js';

/** Body of a rollback: `to` names a version, without it the one before serves again. */
export const ROLLBACK_BODY = fields({ pid: text, to: v.optional(fields(packageName)), operator, force });

export const PARAMS_BODY = v.pipe(noList, v.record(v.string(), v.unknown(), 'must be an object'));

/** POST /algorithms/rollback: as a switch, by the supervisor where there is one. */
export async function rollback(call: Call): Promise<Response> {
  const { registry, supervisor } = call.options;
  const { pid, to, force: isForced, ...named } = await readJson(call, ROLLBACK_BODY);
  const by = { productId: pid, ...named, ...askedBy(call) };
  if (supervisor) {
    await supervisor.rollback({
      ...by,
      ...(to && { to }),
      ...(isForced !== undefined && { force: isForced }),
    });
    return Response.json((await registry.active())[pid]);
  }
  if (to !== undefined || isForced !== undefined) {
    const field = to === undefined ? 'force' : 'to';
    throw new RequestFault(
      'bad_request',
      `${field}: this server has no supervisor to run a version. Leave ${field} out`,
    );
  }
  return Response.json(await registry.rollback(by));
}

/** GET /algorithms/active/\{productId\}. @throws RunnerError `not_found` */
export async function activeVersion({ request, params, options }: Call): Promise<Response> {
  const { productId = '' } = params;
  const mapping = (await options.registry.active({ signal: request.signal }))[productId];
  if (mapping) return Response.json(mapping);
  throw new RunnerError(
    'not_found',
    `No version is active for ${productId}: activate a version that supports it`,
    {
      details: { productIds: [productId] },
    },
  );
}

/** GET /algorithms/active/\{productId\}/params: the values that are kept for its calls. */
export async function params({ request, params: { productId = '' }, options }: Call): Promise<Response> {
  return Response.json(await options.registry.params(productId, { signal: request.signal }));
}

/** PUT /algorithms/active/\{productId\}/params: in place of those that were kept before. */
export async function setParams(call: Call): Promise<Response> {
  const { productId = '' } = call.params;
  const { registry } = call.options;
  const named = readQuery(call.url, QUERIES.policy);
  const values = (await readJson(call, PARAMS_BODY)) as ParameterValues;
  await registry.setParams({ productId, params: values, ...named, ...askedBy(call) });
  return Response.json(await registry.params(productId));
}

/** POST /algorithms/prune. */
export async function prune(call: Call): Promise<Response> {
  const { deployer, registry } = call.options;
  const asked = readQuery(call.url, QUERIES.prune);
  await refuseBody(call);
  return Response.json(asJson(await deployer.prune({ ...asked, ...askedBy(call) }), registry.layout.root));
}

/** POST /algorithms/recover. */
export async function recover(call: Call): Promise<Response> {
  const { deployer, registry } = call.options;
  const asked = readQuery(call.url, QUERIES.recover);
  await refuseBody(call);
  const report = await deployer.recover({ ...asked, signal: call.request.signal });
  return Response.json(asJson(report, registry.layout.root));
}

/** GET /packages: what is in `zips/`, each with its state. */
export async function packages(call: Call): Promise<Response> {
  const { root } = call.options.registry.layout;
  const found = await zipsOf(call);
  return Response.json(
    found.map((one) => asJson({ file: path.basename(one.path), ...withoutPlace(one) }, root)),
  );
}

/** DELETE /packages/\{file\}: what is deployed from it stays. */
export async function removePackage(call: Call): Promise<Response> {
  const { layout } = call.options.registry;
  const { file = '' } = call.params;
  const { dryRun = false, ...named } = readQuery(call.url, QUERIES.removePackage);
  await refuseBody(call);
  const found = (await zipsOf(call)).find((one) => path.basename(one.path) === file);
  if (!found) {
    throw new RunnerError(
      'not_found',
      `There is no package ${JSON.stringify(file)} in zips/: GET /packages lists them`,
      {
        details: { path: file },
      },
    );
  }
  // What the system refuses to read is nobody's work under way.
  if (found.busy || (found.settling && !found.reason)) {
    const why = found.busy ? `another process works on it (${found.busy.operation})` : 'it is being written';
    const { name = '', version = '' } = found;
    throw new RunnerError('busy', `${file} cannot be removed now: ${why}. Ask again later`, {
      details: { name, version, path: file },
    });
  }
  if (!dryRun) {
    const { signal: _signal, ...by } = askedBy(call);
    const { name, version } = found;
    const about = { operation: 'remove', zip: file, name, version, ...named, ...by };
    // A link is removed itself, not what it leads to.
    await audited(path.join(layout.logs, 'package_install.log'), about, () => rm(found.path));
  }
  return Response.json({ file, sizeBytes: found.sizeBytes, dryRun });
}

async function zipsOf({ request, options }: Call): Promise<DiscoveredPackage[]> {
  const found = await options.deployer.scan({ signal: request.signal });
  return found.filter(({ source }) => source === 'zip');
}

/** Without the path, which `file` says. */
function withoutPlace({ path: _path, source: _source, ...found }: DiscoveredPackage): object {
  return found;
}
