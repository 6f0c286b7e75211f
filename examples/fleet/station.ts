/**
 * One station of the plant: a runner that goes by what the fleet wants, and that answers HTTP. `main.ts` starts three of them.
 *
 *   npx tsx examples/fleet/station.ts --root FOLDER --name NAME --nats URL --source URL --key FILE
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openRunner } from 'procvision-runner';
import { connectFleet, openFleetAgent } from 'procvision-runner/fleet';
import { createRunnerHandler, toNodeListener } from 'procvision-runner/http';

const text = { type: 'string', default: '' } as const;
const { values } = parseArgs({ options: { root: text, name: text, nats: text, source: text, key: text } });
const { root, name, nats, source, key } = values;

/** The key that packages and states are signed with. A plant has one for each. */
const publicKey = await readFile(path.resolve(key), 'utf8');
const runner = await openRunner(root, {
  validator: { integrity: { mode: 'strict', publicKeys: [publicKey] } },
});
const { registry, deployer, validator, supervisor } = runner;

// Open to this machine alone. `content` makes the station a source for its neighbours.
const handler = createRunnerHandler({
  ...{ registry, deployer, validator, supervisor, content: true },
  allowUnauthenticated: true,
});
const server = createServer(toNodeListener(handler));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
await runner.startActive();

const connection = await connectFleet({ servers: [nats], name, pingIntervalMs: 1_000 });
const agent = await openFleetAgent(runner, {
  ...{ plant: 'example', station: name, publicKeys: [publicKey], connection, sources: [source] },
  probation: { calls: 1, durationMs: 1_000 },
});
console.log(JSON.stringify({ ready: name, port: (server.address() as AddressInfo).port }));

process.once('SIGTERM', () => {
  const end = async () => {
    server.closeAllConnections();
    server.close();
    await agent.close();
    await connection.close();
    await runner.close();
  };
  end().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
});
