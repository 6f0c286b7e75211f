import type { Readable } from 'node:stream';
import type { NameEncoding } from '../package/types.js';
import type { RegistryEntry } from '../registry/types.js';
import { BODIES, readJson } from './body.js';
import { eventStream } from './events.js';
import { problemOf } from './problem.js';
import { agreed, QUERIES, readQuery } from './query.js';
import { withoutPaths } from '../redact-paths.js';
import type { Call } from './types.js';
import { isUpload, openUpload } from './upload.js';
import { zipInside } from './zip-path.js';

/** What is to be installed, and how. */
interface Order {
  source: string | Readable;
  force?: boolean;
  operator?: string;
  fileName?: string;
  sizeBytes?: number;
  nameEncoding?: NameEncoding;
}

/** Events of an install that its stream passes on. */
const FORWARDED = ['stage', 'progress', 'check'] as const;

/** POST /algorithms/install: a path inside `zips/`, or the package itself. */
export async function install(call: Call): Promise<Response> {
  const { request, options, basePath, answerType } = call;
  const { source, ...order } = await readOrder(call);
  if (answerType === 'text/event-stream') return installWithEvents(call, { source, ...order });
  const entry = await options.deployer.install(source, { ...order, signal: request.signal });
  return created(entry, basePath);
}

async function readOrder(call: Call): Promise<Order> {
  const { request, url, options, operator } = call;
  const named = readQuery(url, QUERIES.install);
  const asked = operator === undefined ? {} : { operator };
  if (isUpload(request)) {
    const { maxUploadBytes, pace } = options;
    const { stream, fileName } = await openUpload(request, { maxUploadBytes, ...pace });
    const length = request.headers.get('content-length');
    return {
      ...{ ...named, ...asked, source: stream, fileName },
      ...(length !== null && { sizeBytes: Number(length) }),
    };
  }
  const { path, ...body } = await readJson(call, BODIES.install, { uploads: true });
  const order = { ...agreed(named, body), ...asked };
  return { ...order, source: await zipInside(options.registry.layout.zips, path) };
}

function created(entry: RegistryEntry, basePath: string): Response {
  const location = `${basePath}/algorithms/${encodeURIComponent(entry.name)}/${encodeURIComponent(entry.version)}`;
  return Response.json(entry, { status: 201, headers: { location } });
}

/**
 * Streams `stage`, `progress` and `check` of this one install, then `installed` or `failed`. A client that goes away
 * aborts it.
 */
function installWithEvents({ request, options }: Call, { source, ...order }: Order): Response {
  const { deployer } = options;
  return eventStream(request.signal, async (send, signal) => {
    const id = crypto.randomUUID();
    const forwarders = FORWARDED.map((name) => ({
      name,
      forward: (event: { id: string }) => {
        if (event.id === id) send(name, withoutPaths(event, options.registry.layout.root));
      },
    }));
    for (const { name, forward } of forwarders) deployer.on(name, forward);
    try {
      send('installed', await deployer.install(source, { ...order, id, signal }));
    } catch (error) {
      send('failed', problemOf(error, options.registry.layout.root));
    } finally {
      for (const { name, forward } of forwarders) deployer.off(name, forward);
    }
  });
}
