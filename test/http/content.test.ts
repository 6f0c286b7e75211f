import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { PackageFetcher } from '../../src/fleet/index.js';
import { Deployer } from '../../src/deploy/deployer.js';
import { withSteps } from '../../src/deploy/given-steps.js';
import { Registry } from '../../src/registry/registry.js';
import { openArchive, packageDigest } from '../../src/signing/index.js';
import { noise, packageOf } from '../support/content-source.js';
import { openHttpRunner, serveHttpRunner } from '../support/http-runner.js';
import { plainSteps } from '../support/plain-steps.js';
import { temporaryFolder } from '../support/temp-folder.js';

const WHEEL = noise(700_000);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

interface Listed {
  name: string;
  version: string;
  digest: string;
  size_bytes: number;
}

const NONE: Listed = { name: '', version: '', digest: '', size_bytes: 0 };

/** A station that has a package in `zips/`, behind a port. */
async function openSource(zip: Uint8Array = packageOf('1.0.0', { 'wheels/a.whl': WHEEL })) {
  const runner = await serveHttpRunner({ content: true });
  const { zips } = runner.registry.layout;
  await mkdir(zips, { recursive: true });
  const file = path.join(zips, 'a.zip');
  await writeFile(file, zip);
  const [listed = NONE] = (await (await runner.ask('GET', '/content/index.json')).json()) as Listed[];
  return { ...runner, file, listed };
}

async function openStation() {
  const registry = await Registry.open(await temporaryFolder(), { durability: 'none' });
  onTestFinished(() => registry.close());
  return registry;
}

const wantedOf = ({ name, version, digest }: Listed) => ({ name, version, digest });

test('a station with the option content gives a package of zips/ to another one, through a port', async () => {
  const { url, listed } = await openSource();
  const registry = await openStation();
  const fetcher = new PackageFetcher({ registry, sources: [`${url}/content`] });
  const fetched = await fetcher.fetch(wantedOf(listed));
  await using archive = await openArchive(fetched.zip);
  expect(await packageDigest(archive)).toBe(listed.digest);
  expect(listed).toMatchObject({ name: 'sample', version: '1.0.0' });
});

test('a station that deployed what it fetched gives it on without its zip', async () => {
  const { url, listed } = await openSource(
    packageOf('1.0.0', { 'wheels/a.whl': WHEEL, 'notes.txt': 'left out' }),
  );
  const neighbour = await serveHttpRunner({ content: true });
  const options = { registry: neighbour.registry };
  withSteps(options, plainSteps);
  const deployer = new Deployer(options);
  onTestFinished(() => deployer.close());
  const first = await new PackageFetcher({
    registry: neighbour.registry,
    sources: [`${url}/content/`],
  }).fetch(wantedOf(listed));
  await deployer.install(first.zip);
  await first.release();
  const third = new PackageFetcher({ registry: await openStation(), sources: [`${neighbour.url}/content/`] });
  const fetched = await third.fetch(wantedOf(listed));
  expect(fetched.fetchedBytes).toBeGreaterThan(WHEEL.length);
  // A deployed file that was changed is not given: the receiver sees a body that breaks off.
  const wheel = path.join(neighbour.registry.layout.deployed('sample', '1.0.0'), 'wheels', 'a.whl');
  await chmod(wheel, 0o600);
  await writeFile(wheel, noise(WHEEL.length));
  const fourth = new PackageFetcher({
    registry: await openStation(),
    sources: [`${neighbour.url}/content/`],
    attempts: 2,
  });
  await expect(fourth.fetch(wantedOf(listed))).rejects.toMatchObject({
    code: expect.stringMatching(/unreachable|source_missing/) as string,
  });
});

test('content has a length, a validator, ranges and HEAD; what the client has is 304', async () => {
  const { ask, listed } = await openSource();
  const target = `/content/blobs/${sha256(WHEEL)}`;
  const etag = `"${sha256(WHEEL)}"`;
  const whole = await ask('GET', target);
  expect(Object.fromEntries(whole.headers)).toMatchObject({
    ...{ etag, 'accept-ranges': 'bytes', 'content-length': String(WHEEL.length) },
    'content-type': 'application/octet-stream',
  });
  expect(Buffer.from(await whole.arrayBuffer()).equals(WHEEL)).toBe(true);
  const head = await ask('HEAD', target);
  expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([
    200,
    String(WHEEL.length),
    '',
  ]);
  expect((await ask('GET', target, { headers: { 'if-none-match': `"x", ${etag}` } })).status).toBe(304);
  const manifest = `/content/packages/${listed.digest}`;
  expect((await ask('GET', manifest, { headers: { 'if-none-match': `"${listed.digest}"` } })).status).toBe(
    304,
  );
  const parts: [range: string, status: number, from: number, to: number][] = [
    ['bytes=0-', 206, 0, WHEEL.length],
    ['bytes=699999-', 206, 699_999, WHEEL.length],
    ['bytes=300000-300009', 206, 300_000, 300_010],
    ['bytes=5-9999999', 206, 5, WHEEL.length],
    ['bytes=-10', 206, WHEEL.length - 10, WHEEL.length],
    ['bytes=0-1,5-6', 200, 0, WHEEL.length],
    ['bytes=9-5', 200, 0, WHEEL.length],
    ['lines=1-2', 200, 0, WHEEL.length],
  ];
  for (const [range, status, from, to] of parts) {
    const part = await ask('GET', target, { headers: { range } });
    expect(part.status, range).toBe(status);
    expect(Buffer.from(await part.arrayBuffer()).equals(WHEEL.subarray(from, to)), range).toBe(true);
    if (status === 206)
      expect(part.headers.get('content-range')).toBe(`bytes ${from}-${to - 1}/${WHEEL.length}`);
  }
  const beyond = await ask('GET', target, { headers: { range: `bytes=${WHEEL.length}-` } });
  expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${WHEEL.length}`]);
  const other = await ask('GET', target, { headers: { range: 'bytes=5-', 'if-range': '"other"' } });
  expect(other.status).toBe(200);
  await other.body?.cancel();
});

test('what is in no package that is here whole is 404, whatever else lies in the store', async () => {
  const { ask, registry } = await openSource();
  const file = path.join(registry.layout.root, 'registry.json');
  const secret = await readFile(file).catch(() => Buffer.from('x'));
  for (const target of [
    `blobs/${sha256(secret)}`,
    `blobs/${'0'.repeat(64)}`,
    'packages/x',
    'blobs/..%2f..%2fregistry.json',
  ]) {
    expect((await ask('GET', `/content/${target}`)).status, target).toBeGreaterThanOrEqual(400);
  }
});

test('a handler without the option answers 501, and authorize is asked for the action content', async () => {
  const shut = await openHttpRunner();
  expect((await shut.ask('GET', '/content/index.json')).status).toBe(501);
  const actions: string[] = [];
  const asked = await openHttpRunner({
    content: true,
    authorize: (_request, action) => {
      actions.push(action);
      return false;
    },
  });
  expect((await asked.ask('GET', `/content/blobs/${'0'.repeat(64)}`)).status).toBe(403);
  expect(actions).toEqual(['content']);
});

test('a zip that goes from zips/ is listed no more, and a transfer that a client leaves holds nothing', async () => {
  const { url, ask, file, listed } = await openSource(
    packageOf('1.0.0', { 'wheels/a.whl': noise(8_000_000) }),
  );
  const [, blob] = (await (await ask('GET', `/content/packages/${listed.digest}`)).text())
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, size]) => size === '8000000')
    ?.slice(0, 1)
    .flatMap((digest) => ['', digest]) ?? ['', ''];
  for (let i = 0; i < 70; i++) {
    await new Promise<void>((resolve, reject) => {
      const request = http.get(`${url}/content/blobs/${blob ?? ''}`, (response) => {
        if (response.statusCode !== 200) reject(new Error(`${i}: ${response.statusCode}`));
        response.once('data', () => {
          request.destroy();
          resolve();
        });
      });
      request.on('error', () => undefined);
    });
  }
  const { rm } = await import('node:fs/promises');
  await rm(file);
  // Under Wine a file that is open keeps its name, and the station has it open for 5 seconds after its last use.
  await expect.poll(async () => (await ask('GET', '/content/index.json')).json()).toEqual([]);
});
