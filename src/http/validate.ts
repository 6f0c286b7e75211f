import { withReceivedUpload } from '../deploy/install/received-upload.js';
import { namedAsSent, UNNAMED_UPLOAD } from '../deploy/install/upload-name.js';
import type { RunnerError } from '../errors.js';
import type { ValidationReport } from '../package/types.js';
import { notDeployed } from './actions.js';
import { BODIES, readJson } from './body.js';
import { validatorOf } from './parts.js';
import { problemOf } from './problem.js';
import { agreed, QUERIES, readQuery } from './query.js';
import { withoutPaths } from '../redact-paths.js';
import type { Call } from './types.js';
import { isUpload, openUpload } from './upload.js';
import { zipInside } from './zip-path.js';

/** POST /algorithms/validate: a path inside `zips/`, an upload, or a deployed name and version. */
export async function validate(call: Call): Promise<Response> {
  const { request, url, options } = call;
  const named = readQuery(url, QUERIES.validate);
  const { registry, maxUploadBytes, pace } = options;
  const validator = validatorOf(call);
  const { root } = registry.layout;
  const { signal } = request;
  const work = (target: string, read = named) => validator.validate(target, { ...read, signal });
  if (isUpload(request)) {
    const { stream, fileName = UNNAMED_UPLOAD } = await openUpload(request, { maxUploadBytes, ...pace });
    const check = async (file: string) => namedReport(await work(file), file, fileName);
    const { idleMs } = pace;
    return reported(await withReceivedUpload(registry, stream, check, { signal, idleMs }), root);
  }
  const body = await readJson(call, BODIES.validate, { uploads: true });
  if ('path' in body) {
    const { path, ...read } = agreed(named, body);
    return reported(await work(await zipInside(registry.layout.zips, path), read), root);
  }
  const { name, version } = body;
  if (!(await registry.get(name, version, { signal }))) throw notDeployed(name, version);
  return reported(await work(registry.layout.deployed(name, version)), root);
}

/** The report, in which an upload is called what its sender calls it. */
function namedReport(
  { error, checks, ...report }: ValidationReport,
  file: string,
  fileName: string,
): ValidationReport {
  const named = checks.map((check) => ({ ...check, message: check.message.replaceAll(file, fileName) }));
  const fault = error && (namedAsSent(error, file, fileName) as RunnerError);
  return { ...report, checks: named, ...(fault && { error: fault }) };
}

/** The report is the answer, also with failed checks. A fault in it becomes a problem document. */
function reported({ error, checks, warnings, ...report }: ValidationReport, root: string): Response {
  return Response.json({
    ...report,
    ...withoutPaths({ checks, warnings }, root),
    ...(error !== undefined && { error: problemOf(error, root) }),
  });
}
