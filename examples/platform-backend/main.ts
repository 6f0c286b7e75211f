/**
 * A platform backend in one file: the runner's HTTP endpoints with their page for people, and an endpoint of its own.
 *
 *   npx tsx examples/platform-backend/main.ts [--root station] [--port 8080]
 * It listens on this machine only. Every local user may do everything: put your own `authorize` in.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openRunner, RunnerError } from 'procvision-runner';
import { createRunnerHandler, toNodeListener } from 'procvision-runner/http';

/** A page of another site may post to this machine as well: its browser says whose page it was. */
function isOwnPage(request: Request): boolean {
  const { hostname, host } = new URL(request.url);
  const origin = request.headers.get('origin');
  return ['127.0.0.1', 'localhost'].includes(hostname) && (origin === null || new URL(origin).host === host);
}

/** Everything composed; `handle` answers one request. */
export async function createBackend(root: string) {
  const runner = await openRunner(root);
  const { registry, deployer, validator, supervisor, frames } = runner;
  const parts = { registry, deployer, validator, supervisor, frames };
  const answer = createRunnerHandler({ ...parts, authorize: isOwnPage, page: true });

  const handle = async (request: Request): Promise<Response> => {
    const { pathname, searchParams } = new URL(request.url);
    if (request.method !== 'POST' || pathname !== '/guide') return answer(request);
    if (!isOwnPage(request)) return new Response(null, { status: 403 });
    try {
      return await setGuide(request, searchParams);
    } catch (error) {
      if (RunnerError.is(error)) return Response.json(error, { status: 422 });
      throw error;
    }
  };

  /** The body is the picture that later ones of the product id are compared with (packages of SDK 0.3 and later). */
  const setGuide = async (request: Request, query: URLSearchParams): Promise<Response> => {
    const image = { encoded: new Uint8Array(await request.arrayBuffer()) };
    await registry.setGuide({ productId: query.get('pid') ?? '', stepIndex: 1, image, operator: 'page' });
    return new Response(null, { status: 204 });
  };

  return { handle, close: () => runner.close() };
}

/** Starts listening; resolves with the address and a function that ends everything. */
export async function listen(root: string, port: number) {
  const backend = await createBackend(root);
  const server = createServer(toNodeListener(backend.handle));
  server.requestTimeout = 0; // a large package may take longer than Node's five minutes
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await backend.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close };
}

const USAGE = 'npx tsx examples/platform-backend/main.ts [--root station] [--port 8080]';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      root: { type: 'string', default: 'station' },
      port: { type: 'string', default: '8080' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const port = /^\d{1,5}$/.test(values.port) ? Number(values.port) : NaN;
  if (!(port <= 65_535))
    throw new Error(`--port is "${values.port}": give a number from 0 (any free port) to 65535`);
  const { url, close } = await listen(values.root, port);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK'] as const) process.once(signal, () => void close());
  console.log(`Open ${url}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exitCode = 1;
  });
}
