/**
 * A backend that takes uploads: `upload-host.ts <store>`. Prints the port of its server, and after each request the most
 * memory it has held since the one before.
 */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRunnerHandler, toNodeListener } from '../../src/http/index.js';
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

const server = http.createServer(
  toNodeListener(async (request) => {
    const response = await handle(request);
    sample();
    process.stdout.write(`peak ${peak}\n`);
    peak = 0;
    return response;
  }),
);
server.requestTimeout = 0;
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`);
});
