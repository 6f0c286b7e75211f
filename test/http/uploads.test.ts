import { readdir } from 'node:fs/promises';
import http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createRunnerHandler } from '../../src/http/index.js';
import { PackageValidator, VenvManager } from '../../src/index.js';
import { buildPackage } from '../../src/testing/index.js';
import { openStation, type Station } from '../support/station.js';

const UPLOADS = 10;
const PIECE_BYTES = 4096;

interface Answer {
  status: number;
  body: { version?: string; code?: string; retryable?: boolean };
}

/** A runner behind a real server, so that the uploads come over real sockets, in pieces and at once. */
async function serve(): Promise<Station & { upload: (zip: Uint8Array) => Promise<Answer> }> {
  const station = await openStation();
  const { registry, deployer, supervisor } = station;
  const validator = new PackageValidator({ venvs: new VenvManager() });
  const handle = createRunnerHandler({ registry, deployer, supervisor, validator, authorize: () => true });
  const server = http.createServer((incoming, outgoing) => {
    const headers = { 'content-type': incoming.headers['content-type'] ?? '' };
    const body = Readable.toWeb(incoming) as ReadableStream<Uint8Array>;
    const request = new Request('http://station/algorithms/install', {
      ...{ method: 'POST', headers, body, duplex: 'half' as const },
    });
    void handle(request).then(async (response) => {
      outgoing.writeHead(response.status).end(Buffer.from(await response.arrayBuffer()));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const upload = async (zip: Uint8Array): Promise<Answer> => {
    const pieces = function* () {
      for (let at = 0; at < zip.length; at += PIECE_BYTES) yield zip.subarray(at, at + PIECE_BYTES);
    };
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: { 'content-type': 'application/zip' },
      body: Readable.toWeb(Readable.from(pieces())) as ReadableStream<Uint8Array>,
      duplex: 'half',
    });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  };
  return { ...station, upload };
}

/** What the store holds, all of it agreeing: the registry, the zips, the folders and their contents. */
async function deployedVersions({ registry, deployer }: Station): Promise<string[]> {
  const versions = (await registry.list({ state: 'deployed' })).map(({ version }) => version).sort();
  const { zips, staging } = registry.layout;
  expect((await readdir(zips)).sort()).toEqual(
    versions.map((version) => `sample-v${version}-offline.zip`).sort(),
  );
  expect(await readdir(staging).catch(() => [])).toEqual([]);
  for (const version of versions) {
    expect(await deployer.verify('sample', version)).toMatchObject({ intact: true });
  }
  return versions;
}

describe('ten uploads at once', () => {
  test('of ten versions are all installed, or told that the store is busy', async () => {
    const station = await serve();
    const versions = Array.from({ length: UPLOADS }, (_, index) => `1.${index}.0`);
    const answers = await Promise.all(
      versions.map(async (version) => station.upload(await buildPackage({ version }))),
    );
    for (const { status, body } of answers) {
      if (status !== 201) expect({ status, ...body }).toMatchObject({ status: 503, retryable: true });
    }
    const installed = answers.filter(({ status }) => status === 201).map(({ body }) => body.version ?? '');
    expect(installed.length).toBeGreaterThan(0);
    expect(await deployedVersions(station)).toEqual(installed.sort());
  });

  test('of one version install it once; the others are told that it is there, or busy', async () => {
    const station = await serve();
    const zip = await buildPackage();
    const answers = await Promise.all(Array.from({ length: UPLOADS }, () => station.upload(zip)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    for (const { status, body } of answers.filter((answer) => answer.status !== 201)) {
      expect(['409 already_installed', '503 lock_timeout']).toContain(`${status} ${body.code ?? ''}`);
    }
    expect(await deployedVersions(station)).toEqual(['1.0.0']);
  });
});
