/**
 * A backend that takes uploads: `upload-host.ts <store>`. Prints the port of its server, and after each request the most
 * memory it has held since the one before.
 */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { createRunnerHandler } from '../../src/http/index.js';
import { Deployer, PackageValidator, Registry, VenvManager } from '../../src/index.js';

const SAMPLE_MS = 20;

const [, , root = ''] = process.argv;
const registry = await Registry.open(root, { durability: 'none' });
const deployer = new Deployer({ registry });
const validator = new PackageValidator({ venvs: new VenvManager() });
const handle = createRunnerHandler({ registry, deployer, validator, allowUnauthenticated: true });

let peak = 0;
const sample = () => (peak = Math.max(peak, process.memoryUsage.rss()));
setInterval(sample, SAMPLE_MS);

const server = http.createServer((incoming, outgoing) => {
  const request = new Request(`http://station${incoming.url ?? ''}`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/zip' }, duplex: 'half' as const },
    body: Readable.toWeb(incoming) as ReadableStream<Uint8Array>,
  });
  void handle(request).then(async (response) => {
    sample();
    process.stdout.write(`peak ${peak}\n`);
    peak = 0;
    outgoing.writeHead(response.status).end(await response.text());
  });
});
server.requestTimeout = 0;
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`);
});
