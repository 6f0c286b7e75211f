/**
 * A platform backend in one file: the runner's HTTP endpoints, live state, inspections and a page for people.
 *
 *   npx tsx examples/platform-backend/main.ts [--root station] [--port 8080]
 *
 * It listens on this machine only and lets everyone do everything: put your own `authorize` in before you open it up.
 */
import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  AlgorithmSupervisor,
  Deployer,
  PackageValidator,
  Registry,
  RunnerError,
  VenvManager,
} from 'procvision-runner';
import { createRunnerHandler } from 'procvision-runner/http';

const PAGES: Record<string, [file: string, type: string]> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/app.js': ['app.js', 'text/javascript; charset=utf-8'],
};

/** Everything composed; `handle` answers one request. */
export async function createBackend(root: string) {
  const venvs = new VenvManager();
  const validator = new PackageValidator({ venvs });
  const registry = await Registry.open(root);
  const deployer = new Deployer({ registry, venvs, validator });
  const supervisor = new AlgorithmSupervisor({ registry });
  const runner = createRunnerHandler({
    registry,
    deployer,
    validator,
    supervisor,
    allowUnauthenticated: true,
  });

  const handle = async (request: Request): Promise<Response> => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/status') return Response.json(supervisor.status());
    if (pathname === '/inspect' && request.method === 'POST') return inspect(request, searchParams);
    return runner(request);
  };

  /** Body: width × height × 3 RGB bytes. */
  const inspect = async (request: Request, query: URLSearchParams): Promise<Response> => {
    try {
      const image = {
        data: new Uint8Array(await request.arrayBuffer()),
        width: Number(query.get('width')),
        height: Number(query.get('height')),
      };
      return Response.json(await supervisor.execute({ pid: query.get('pid') ?? '', stepIndex: 1, image }));
    } catch (error) {
      if (RunnerError.is(error)) return Response.json(error, { status: 422 });
      throw error;
    }
  };

  const close = async () => {
    await supervisor.close();
    await deployer.close();
    await registry.close();
  };
  return { handle, close };
}

/** Node's request to the web's and back; bodies are streamed both ways. */
async function serve(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handle: (request: Request) => Promise<Response>,
): Promise<void> {
  const page = PAGES[incoming.url ?? ''];
  if (page && incoming.method === 'GET') {
    outgoing.setHeader('content-type', page[1]);
    await pipeline(
      createReadStream(path.join(fileURLToPath(new URL('public', import.meta.url)), page[0])),
      outgoing,
    );
    return;
  }
  const gone = new AbortController();
  outgoing.once('close', () => {
    gone.abort();
  });
  const hasBody = incoming.method !== 'GET' && incoming.method !== 'HEAD';
  const response = await handle(
    new Request(`http://localhost${incoming.url ?? '/'}`, {
      method: incoming.method,
      headers: Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
      body: hasBody ? (Readable.toWeb(incoming) as ReadableStream<Uint8Array>) : null,
      signal: gone.signal,
      duplex: 'half',
    }),
  );
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body) await pipeline(Readable.fromWeb(response.body as never), outgoing);
  else outgoing.end();
}

/** Starts listening; resolves with the address and a function that ends everything. */
export async function listen(root: string, port: number) {
  const backend = await createBackend(root);
  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing, backend.handle).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : port}/`;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await backend.close();
  };
  return { url, close };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { root: { type: 'string', default: 'station' }, port: { type: 'string', default: '8080' } },
  });
  const { url, close } = await listen(values.root, Number(values.port));
  console.log(`Open ${url}`);
  process.once('SIGINT', () => void close());
}
