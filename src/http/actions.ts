import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { RunnerError } from '../errors.js';
import type { PackageState, RegistryEntry } from '../registry/types.js';
import type { StoreLayout } from '../store/layout.js';
import { BODIES, readJson } from './body.js';
import { eventStream } from './events.js';
import { problemOf, RequestFault } from './problem.js';
import type { Call } from './types.js';
import { isUpload, openUpload } from './upload.js';

const STATES: readonly string[] = [
  'discovered',
  'validated',
  'deployed',
  'running',
  'executing',
  'stopped',
  'invalid',
] satisfies PackageState[];

/** GET /algorithms, filtered by `state` and `name`. */
export async function list({ url, options }: Call): Promise<Response> {
  const state = url.searchParams.get('state') ?? undefined;
  const name = url.searchParams.get('name') ?? undefined;
  if (state !== undefined && !STATES.includes(state)) {
    throw new RequestFault('bad_request', `state: ${JSON.stringify(state)} is none of ${STATES.join(', ')}`);
  }
  return Response.json(await options.registry.list({ name, state: state as PackageState | undefined }));
}

/** GET /algorithms/active: the mapping of every product id. */
export async function listActive({ options }: Call): Promise<Response> {
  return Response.json(await options.registry.active());
}

/** POST /algorithms/activate. */
export async function activate({ request, options }: Call): Promise<Response> {
  return Response.json(await options.registry.activate(await readJson(request, BODIES.activate)));
}

/** POST /algorithms/switch. */
export async function switchVersion({ request, options }: Call): Promise<Response> {
  const body = await readJson(request, BODIES.activate);
  if (!options.supervisor) return Response.json(await options.registry.switch(body));
  await options.supervisor.switch({ ...body, signal: request.signal });
  const active = await options.registry.active();
  return Response.json(body.pids.map((pid) => active[pid]));
}

/** DELETE /algorithms/\{name\}/\{version\}. */
export async function uninstall({ url, params, options }: Call): Promise<Response> {
  const { name = '', version = '' } = params;
  await options.deployer.uninstall(name, version, { force: flag(url, 'force'), operator: operatorOf(url) });
  return new Response(null, { status: 204 });
}

/** POST /algorithms/install: a path inside `zips/`, or the package itself. */
export async function install(call: Call): Promise<Response> {
  const { request, url, options } = call;
  let source: string | Readable;
  let force = flag(url, 'force');
  let operator = operatorOf(url);
  if (isUpload(request)) {
    source = await openUpload(request, options.maxUploadBytes);
  } else {
    const body = await readJson(request, BODIES.install);
    source = await zipInside(options.registry.layout, body.path);
    force = body.force ?? force;
    operator = body.operator ?? operator;
  }
  if ((request.headers.get('accept') ?? '').includes('text/event-stream')) {
    return installWithEvents(call, source, { force, operator });
  }
  const entry = await options.deployer.install(source, { force, operator, signal: request.signal });
  return created(entry, options.basePath);
}

function created(entry: RegistryEntry, basePath: string): Response {
  const location = `${basePath}/algorithms/${encodeURIComponent(entry.name)}/${encodeURIComponent(entry.version)}`;
  return Response.json(entry, { status: 201, headers: { location } });
}

/** Streams `stage`, `progress` and `check` events of this one install, then `installed` or `failed`. */
function installWithEvents(
  { request, options }: Call,
  source: string | Readable,
  { force, operator }: { force: boolean; operator?: string },
): Response {
  const { deployer } = options;
  const cancel = new AbortController();
  return eventStream(
    async (send) => {
      const id = crypto.randomUUID();
      const forward =
        (name: string) =>
        (event: { id?: string }): void => {
          if (event.id === id) send(name, event);
        };
      const listeners = { stage: forward('stage'), progress: forward('progress'), check: forward('check') };
      deployer.on('stage', listeners.stage).on('progress', listeners.progress).on('check', listeners.check);
      try {
        const signal = AbortSignal.any([cancel.signal, request.signal]);
        send('installed', await deployer.install(source, { id, force, operator, signal }));
      } catch (error) {
        send('failed', problemOf(error));
      } finally {
        deployer
          .off('stage', listeners.stage)
          .off('progress', listeners.progress)
          .off('check', listeners.check);
      }
    },
    () => {
      cancel.abort();
    },
  );
}

/** POST /algorithms/validate: a path inside `zips/`, an upload, or a deployed name and version. */
export async function validate({ request, options }: Call): Promise<Response> {
  const { registry, validator } = options;
  const { signal } = request;
  if (isUpload(request)) {
    return withUploadedFile(
      await openUpload(request, options.maxUploadBytes),
      registry.layout,
      signal,
      (file) => validator.validate(file, { signal }),
    );
  }
  const body = await readJson(request, BODIES.validate);
  if ('path' in body) {
    return reportResponse(await validator.validate(await zipInside(registry.layout, body.path), { signal }));
  }
  if (!(await registry.get(body.name, body.version))) {
    throw new RunnerError('not_found', `${body.name} ${body.version} is not deployed`, { details: body });
  }
  return reportResponse(
    await validator.validate(registry.layout.deployed(body.name, body.version), { signal }),
  );
}

async function withUploadedFile(
  upload: Readable,
  layout: StoreLayout,
  signal: AbortSignal,
  work: (file: string) => Promise<object>,
): Promise<Response> {
  await mkdir(layout.staging, { recursive: true });
  const folder = await mkdtemp(path.join(layout.staging, 'validate-'));
  try {
    const file = path.join(folder, 'upload.zip');
    await pipeline(upload, createWriteStream(file, { flags: 'wx' }), { signal });
    return reportResponse(await work(file));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function reportResponse(report: object & { error?: unknown }): Response {
  const { error, ...rest } = report;
  return Response.json(error === undefined ? rest : { ...rest, error: problemOf(error) });
}

/**
 * The zip a request names, which must lie in `zips/`, links followed.
 * @throws RunnerError `not_found`
 */
async function zipInside(layout: StoreLayout, name: string): Promise<string> {
  const outside = new RunnerError('not_found', `There is no package ${JSON.stringify(name)} in zips/`, {
    details: { path: name },
  });
  const zips = await realpath(layout.zips).catch(() => undefined);
  if (zips === undefined || name.includes('\0')) throw outside;
  const file = await realpath(path.resolve(zips, name)).catch(() => undefined);
  if (!file?.startsWith(zips + path.sep)) throw outside;
  return file;
}

function flag(url: URL, name: string): boolean {
  const value = url.searchParams.get(name);
  if (value === null || value === 'false') return false;
  if (value === 'true' || value === '') return true;
  throw new RequestFault('bad_request', `${name}: ${JSON.stringify(value)} is neither true nor false`);
}

function operatorOf(url: URL): string | undefined {
  return url.searchParams.get('operator') ?? undefined;
}
