/** The parts of a plant that `main.ts` starts: a NATS server, a source of packages, stations as processes of their own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openRunner } from 'procvision-runner';
import { createRunnerHandler, toNodeListener } from 'procvision-runner/http';
import { openArchive, packageDigest, signPackage } from 'procvision-runner/signing';
import { buildPackage, sampleAlgorithm } from 'procvision-runner/testing';

export const PRODUCT = 'BOARD-7';
export const PACKAGE = 'board-check';

/** A process that was started, and what ends it. */
export interface Started {
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** Starts a process and waits for a line that `isReady`. */
async function start(
  command: string,
  args: string[],
  isReady: (line: string) => boolean,
): Promise<Started & { line: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const line = await new Promise<string>((resolve, reject) => {
    const last: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (text) => {
        last.push(text);
        if (last.length > 5) last.shift();
        if (isReady(text)) resolve(text);
      });
    }
    child.once('error', (error) => {
      reject(new Error(`${command} cannot be started: ${error.message}`));
    });
    child.once('close', () => {
      reject(new Error(`${command} ended before it was ready: ${last.join('\n')}`));
    });
  });
  return { line, kill: (signal) => killed(child, ended, signal) };
}

async function killed(child: ChildProcess, ended: Promise<unknown>, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal);
  await ended;
}

/** Starts a NATS server whose state is in `folder`: started again there, it has what it had. */
export async function startNats(
  binary: string,
  folder: string,
  port = -1,
): Promise<Started & { port: number }> {
  const file = path.join(folder, 'nats.conf');
  await mkdir(folder, { recursive: true });
  // For a plant: `fleet permissions` writes users and what each may do.
  const store = JSON.stringify(path.join(folder, 'jetstream'));
  await writeFile(
    file,
    `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${store}, sync_interval: always }\n`,
  );
  const listens = /Listening for client connections on .*:(\d+)/;
  const started = await start(binary, ['-c', file], (line) => listens.test(line));
  return { ...started, port: Number(listens.exec(started.line)?.[1]) };
}

/** A station as a process of its own. */
export interface StationProcess extends Started {
  name: string;
  url: string;
}

/** Starts a station over its folder: started again there, it has what it had. */
export async function startStation(
  name: string,
  o: { folder: string; nats: string; source: string; key: string },
): Promise<StationProcess> {
  const script = fileURLToPath(new URL('station.ts', import.meta.url));
  const args = [
    '--root',
    path.join(o.folder, name),
    '--name',
    name,
    '--nats',
    o.nats,
    '--source',
    o.source,
    '--key',
    o.key,
  ];
  const started = await start(process.execPath, ['--import', 'tsx', script, ...args], (line) =>
    line.startsWith('{"ready"'),
  );
  const { port } = JSON.parse(started.line) as { port: number };
  return { name, url: `http://127.0.0.1:${port}`, kill: (signal) => started.kill(signal) };
}

/** One black picture; gives the verdict, or the code of the failure. */
export async function inspect(station: StationProcess): Promise<string> {
  const headers = { 'content-type': 'application/octet-stream', 'x-image-width': '8', 'x-image-height': '8' };
  const body = new Uint8Array(8 * 8 * 3);
  const response = await fetch(`${station.url}/inspections/${PRODUCT}`, { method: 'POST', headers, body });
  const answer = (await response.json()) as { code?: string; data?: { result_status?: string } };
  return answer.data?.result_status ?? answer.code ?? String(response.status);
}

/** The plant server: packages in its `zips/`, given by content. */
export async function openSource(folder: string, privateKey: string) {
  const runner = await openRunner(path.join(folder, 'plant'));
  const { registry, deployer } = runner;
  const server = createServer(toNodeListener(createRunnerHandler({ registry, deployer, content: true })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/content/`,
    /** Makes a version, signs it and puts it there; gives its digest. */
    publish: async (version: string): Promise<string> => {
      const productIds = [PRODUCT];
      const main = sampleAlgorithm({ generation: 'phased', name: PACKAGE, version, productIds });
      const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': main };
      const { zips } = registry.layout;
      await mkdir(zips, { recursive: true });
      const file = path.join(zips, `${PACKAGE}-v${version}-offline.zip`);
      await writeFile(file, await buildPackage({ name: PACKAGE, version, productIds, files }));
      await signPackage(file, { privateKey });
      await using archive = await openArchive(file);
      return await packageDigest(archive);
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await runner.close();
    },
  };
}
