/**
 * A station's host for a service manager: starts what is mapped, says when it is ready and that it lives, and on SIGTERM
 * takes no more calls, finishes those that run, and ends.
 *
 *   npx tsx examples/service/host.ts --root station [--port 8080] [--host 127.0.0.1]
 *
 * It answers `POST /inspect?product=ID&width=W&height=H` (RGB bytes) and `GET /health`. Put your own authorization in before
 * you open it up.
 */
import { execFile } from 'node:child_process';
import { createServer, type IncomingMessage } from 'node:http';
import { parseArgs } from 'node:util';
import { AlgorithmSupervisor, Registry, RunnerError } from 'procvision-runner';

const { values } = parseArgs({
  options: {
    root: { type: 'string', default: 'station' },
    port: { type: 'string', default: '8080' },
    host: { type: 'string', default: '127.0.0.1' },
  },
});

if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535) {
  console.error(`--port is ${JSON.stringify(values.port)}: give a number from 0 (any free port) to 65535`);
  process.exit(2);
}

/** Tells systemd, where it is systemd that started this (sd_notify(3)); Node has no sockets for datagrams of Unix. */
function notify(...states: string[]): void {
  if (process.env.NOTIFY_SOCKET !== undefined) execFile('systemd-notify', states, () => undefined);
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const registry = await Registry.open(values.root);
const supervisor = new AlgorithmSupervisor({ registry });
supervisor.on('error', ({ error, name, version }) => {
  console.error(name, version, error.message);
});
registry.on('storeLost', (error) => {
  console.error(error.message);
});
const shutdown = new AbortController();

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://host');
  const answer = (status: number, body: unknown) => {
    response.writeHead(status, {
      'content-type': 'application/json',
      ...(shutdown.signal.aborted && { connection: 'close' }),
    });
    response.end(JSON.stringify(body));
  };
  const isHealthy = !shutdown.signal.aborted && supervisor.status().every(({ state }) => state !== 'failed');
  if (pathname === '/health') answer(isHealthy ? 200 : 503, supervisor.status());
  else if (pathname !== '/inspect' || request.method !== 'POST') answer(404, {});
  else if (shutdown.signal.aborted) answer(503, { code: 'closed' });
  else {
    void bodyOf(request)
      .then((data) => {
        const [width, height] = [Number(searchParams.get('width')), Number(searchParams.get('height'))];
        const image = { data, width, height };
        return supervisor.execute({ productId: searchParams.get('product') ?? '', stepIndex: 1, image });
      })
      .then(
        (result) => {
          answer(200, result);
        },
        (error: unknown) => {
          answer(RunnerError.is(error, 'not_found') ? 404 : 500, error);
        },
      );
  }
});

async function stop(): Promise<void> {
  if (shutdown.signal.aborted) return;
  shutdown.abort();
  notify('STOPPING=1');
  const closed = new Promise((resolve) => server.close(resolve));
  // Calls that run are finished first; the signal does not stop the workers, also when it went to the process group.
  await Promise.all(supervisor.status().map(({ name, version }) => supervisor.stop(name, version)));
  await supervisor.close();
  await registry.close();
  clearInterval(watchdog);
  await closed;
}

// WATCHDOG_USEC is how long systemd waits for a sign of life: three in that time.
const watchdogMs = Number(process.env.WATCHDOG_USEC ?? 30_000_000) / 3_000;
const watchdog = setInterval(() => {
  notify('WATCHDOG=1');
}, watchdogMs);

process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => void stop());

server.on('error', (error) => {
  console.error(error.message); // the port is in use, most likely
  process.exitCode = 1;
  void stop();
});
try {
  const report = await supervisor.startActive();
  for (const { name, version, error } of report.failed) console.error(name, version, error.message);
  if (!shutdown.signal.aborted) {
    server.listen(Number(values.port), values.host, () => {
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : undefined;
      notify('--ready', `--status=${report.started.length} versions are ready`);
      console.log(`listening on ${values.host}:${port}, ${report.started.length} versions are ready`);
    });
  }
} catch (error) {
  if (!shutdown.signal.aborted) throw error; // a signal came during the start
}
