import { RunnerError } from '../../errors.js';
import { isSame } from '../../registry/mappings.js';
import type { ActiveMapping } from '../../registry/types.js';
import { readyWorkers } from '../../supervisor/ready-workers.js';
import type { InspectionTarget } from '../../supervisor/types.js';
import { notDeployed } from '../actions.js';
import { supervisorOf } from '../parts.js';
import type { Call } from '../types.js';

/** Size of a picture is that of the request. */
const ANY = -1;

const PICTURE = { datatype: 'UINT8', shape: [ANY, ANY, ANY] };
const TEXT = { datatype: 'BYTES', shape: [1] };

/** GET /v2. */
export function server(): Response {
  return Response.json({ name: 'procvision-runner', version: '1', extensions: ['binary_tensor_data'] });
}

/** GET /v2/models/\{productId\}[/versions/\{version\}]: a product id is a model. */
export async function model(call: Call): Promise<Response> {
  const { active, versions } = await findModel(call);
  return Response.json({
    name: active.pid,
    versions,
    platform: 'procvision',
    inputs: [
      { name: 'image', ...PICTURE },
      { name: 'guide_image', ...PICTURE, optional: true },
    ],
    outputs: [
      { name: 'result', ...TEXT },
      { name: 'verdict', ...TEXT },
    ],
  });
}

/** GET …/ready: 200 while a worker of the version takes calls, else 503. */
export async function modelReady(call: Call): Promise<Response> {
  const { target } = await findModel(call);
  const supervisor = supervisorOf(call, 'runs no versions');
  const found = supervisor.status().find((one) => isSame(one, target));
  const ready = found !== undefined && readyWorkers(found) > 0 && found.circuit !== 'open';
  const title = `${target.name} ${target.version}`;
  return Response.json(
    {
      name: call.params.productId,
      ready,
      ...(!ready && { error: `${title} has no worker that takes calls` }),
    },
    { status: ready ? 200 : 503, headers: { 'cache-control': 'no-store' } },
  );
}

/** A product id, the version that serves it, and those that could. */
export interface Model {
  active: ActiveMapping;
  /** The version that is asked for: the active one where the address names none. */
  target: InspectionTarget;
  versions: string[];
}

/** @throws RunnerError `not_found` */
export async function findModel({ request, params, options }: Call): Promise<Model> {
  const { productId = '', version } = params;
  const { registry } = options;
  const active = (await registry.active({ signal: request.signal }))[productId];
  if (!active) {
    throw new RunnerError(
      'not_found',
      `There is no model ${productId}: no version is active for this product id`,
      {
        details: { productIds: [productId] },
      },
    );
  }
  const entries = await registry.list({ name: active.name }, { signal: request.signal });
  const versions = entries
    .filter(({ supported_pids: ids }) => ids.length === 0 || ids.includes(productId))
    .map((entry) => entry.version);
  if (version !== undefined && !versions.includes(version)) throw notDeployed(active.name, version);
  return { active, target: { name: active.name, version: version ?? active.version }, versions };
}
