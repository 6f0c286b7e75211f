/**
 * A platform backend in one file: the runner's HTTP endpoints, live state, inspections and a page for people.
 *
 *   npx tsx examples/platform-backend/main.ts [--root station] [--port 8080]
 * It listens on this machine only. Every local user may do everything: put your own `authorize` in.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openRunner, RunnerError } from 'procvision-runner';
import { createRunnerHandler, toNodeListener } from 'procvision-runner/http';

const PAGES: Record<string, [file: string, type: string]> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/app.js': ['app.js', 'text/javascript; charset=utf-8'],
  '/style.css': ['style.css', 'text/css; charset=utf-8'],
};
const STATUS_EVERY_MS = 500;

/** A page of another site may post to this machine as well: its browser says whose page it was. */
function isOwnPage(request: Request): boolean {
  const { hostname, host } = new URL(request.url);
  const origin = request.headers.get('origin');
  return ['127.0.0.1', 'localhost'].includes(hostname) && (origin === null || new URL(origin).host === host);
}

/** Everything composed; `handle` answers one request. */
export async function createBackend(root: string) {
  const runner = await openRunner(root);
  const { registry, deployer, validator, supervisor } = runner;
  const answer = createRunnerHandler({ registry, deployer, validator, supervisor, authorize: isOwnPage });

  const handle = async (request: Request): Promise<Response> => {
    const { pathname, searchParams } = new URL(request.url);
    const page = request.method === 'GET' ? PAGES[pathname] : undefined;
    if (page) return servePage(...page);
    if (pathname === '/status') return liveStatus(request.signal);
    const own = request.method === 'POST' ? { '/inspect': inspect, '/guide': setGuide }[pathname] : undefined;
    if (!own) return answer(request);
    if (!isOwnPage(request)) return new Response(null, { status: 403 });
    try {
      return await own(request, searchParams);
    } catch (error) {
      if (RunnerError.is(error)) return Response.json(error, { status: 422 });
      throw error;
    }
  };

  /** The state of every worker as server-sent events, each time that it has changed. */
  const liveStatus = (signal: AbortSignal): Response => {
    let sent = '';
    let timer: NodeJS.Timeout | undefined;
    const stream = new ReadableStream<string>({
      start(controller) {
        const tell = () => {
          const status = JSON.stringify(supervisor.status());
          if (status !== sent) controller.enqueue(`data: ${(sent = status)}\n\n`);
        };
        tell();
        timer = setInterval(tell, STATUS_EVERY_MS);
        // A page that is left shows itself here or, when its answer is read no further, by `cancel`.
        signal.addEventListener('abort', () => {
          clearInterval(timer);
          controller.error(signal.reason);
        });
      },
      cancel() {
        clearInterval(timer);
      },
    });
    const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' };
    return new Response(stream.pipeThrough(new TextEncoderStream()), { headers });
  };

  /** Of a body of width × height × 3 RGB bytes. */
  const imageOf = async (request: Request, query: URLSearchParams) => ({
    data: new Uint8Array(await request.arrayBuffer()),
    width: Number(query.get('width')),
    height: Number(query.get('height')),
  });

  /** The body is the picture that later ones of the product id are compared with (packages of SDK 0.3 and later). */
  const setGuide = async (request: Request, query: URLSearchParams): Promise<Response> => {
    const image = await imageOf(request, query);
    await registry.setGuide({ productId: query.get('pid') ?? '', stepIndex: 1, image, operator: 'page' });
    return new Response(null, { status: 204 });
  };

  const inspect = async (request: Request, query: URLSearchParams): Promise<Response> => {
    const call = { productId: query.get('pid') ?? '', stepIndex: 1, image: await imageOf(request, query) };
    return Response.json(await supervisor.execute(call, { signal: request.signal }));
  };

  return { handle, close: () => runner.close() };
}

async function servePage(file: string, type: string): Promise<Response> {
  const bytes = await readFile(new URL(`public/${file}`, import.meta.url));
  return new Response(new Uint8Array(bytes), { headers: { 'content-type': type } });
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
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close());
  console.log(`Open ${url}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exitCode = 1;
  });
}
