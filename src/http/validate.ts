import { withReceivedUpload } from '../deploy/received-upload.js';
import type { ValidationReport } from '../package/types.js';
import { notDeployed } from './actions.js';
import { BODIES, readJson } from './body.js';
import { problemOf } from './problem.js';
import type { Call } from './types.js';
import { isUpload, openUpload } from './upload.js';
import { zipInside } from './zip-path.js';

/** POST /algorithms/validate: a path inside `zips/`, an upload, or a deployed name and version. */
export async function validate({ request, options }: Call): Promise<Response> {
  const { registry, validator, maxUploadBytes } = options;
  const { signal } = request;
  const work = (target: string) => validator.validate(target, { signal });
  if (isUpload(request)) {
    const upload = await openUpload(request, maxUploadBytes);
    return reported(await withReceivedUpload(registry, upload, work, { signal }));
  }
  const body = await readJson(request, BODIES.validate);
  if ('path' in body) return reported(await work(await zipInside(registry.layout.zips, body.path)));
  const { name, version } = body;
  if (!(await registry.get(name, version, { signal }))) throw notDeployed(name, version);
  return reported(await work(registry.layout.deployed(name, version)));
}

/** A report is the answer whatever it says; the fault in it is told as a problem document. */
function reported({ error, ...report }: ValidationReport): Response {
  return Response.json(error === undefined ? report : { ...report, error: problemOf(error) });
}
