import { createHash } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { exportPackage, PackageFetcher, type PackageFetcherOptions } from '../../../src/fleet/index.js';
import { Registry } from '../../../src/registry/registry.js';
import { generateSigningKeys, openArchive, packageDigest, signPackage } from '../../../src/signing/index.js';
import { noise, packageOf, serveFolder, type Misbehaviour } from '../../support/content-source.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const BIG = noise(400_000);
const BIG_DIGEST = createHash('sha256').update(BIG).digest('hex');

async function setUp(zip: Uint8Array = packageOf('1.0.0', { 'wheels/big.whl': BIG })) {
  const folder = await temporaryFolder();
  const registry = await Registry.open(path.join(folder, 'station'), { durability: 'none' });
  onTestFinished(() => registry.close());
  const origin = path.join(folder, 'origin');
  const file = path.join(folder, 'one.zip');
  await writeFile(file, zip);
  const { name, version, digest } = await exportPackage(file, origin);
  const wanted = { name, version, digest };
  const fetcher = (sources: string[], o: Partial<PackageFetcherOptions> = {}) =>
    new PackageFetcher({ registry, sources, idleMs: 300, attempts: 2, ...o });
  return { folder, origin, wanted, fetcher, file, content: registry.layout.content };
}

async function digestOf(zip: string): Promise<string> {
  await using archive = await openArchive(zip);
  return await packageDigest(archive);
}

const isBlob = (url = '') => url.endsWith(BIG_DIGEST);

/** Answers for the large blob alone. */
const onBlob =
  (answer: Misbehaviour): Misbehaviour =>
  (request, response) =>
    isBlob(request.url) && answer(request, response);

/** What a source does, the code when it is the only one, and what is said of it. */
const DEEDS: Record<string, { deed: Misbehaviour; code: string; said: RegExp }> = {
  'sends wrong bytes': {
    deed: onBlob((_, response) => {
      response.end(noise(BIG.length));
      return true;
    }),
    ...{ code: 'digest_mismatch', said: /has another digest/ },
  },
  'says another size': {
    deed: onBlob((_, response) => {
      response.writeHead(200, { 'content-length': BIG.length - 1 });
      response.end(BIG.subarray(1));
      return true;
    }),
    ...{ code: 'digest_mismatch', said: /says that blobs\/[0-9a-f]+ has 399999 bytes, not 400000/ },
  },
  'sends a body without end': {
    deed: onBlob((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(noise(BIG.length)));
        response.once('drain', more);
      };
      more();
      return true;
    }),
    ...{ code: 'digest_mismatch', said: /sends more than the 400000 bytes/ },
  },
  'ends too early': {
    deed: onBlob((_, response) => {
      response.writeHead(200).flushHeaders();
      response.end(BIG.subarray(0, 1_000));
      return true;
    }),
    ...{ code: 'unreachable', said: /bytes before the end/ },
  },
  'sends nothing after the head': {
    deed: onBlob((_, response) => {
      response.writeHead(200, { 'content-length': BIG.length }).flushHeaders();
      return true;
    }),
    ...{ code: 'unreachable', said: /sent nothing for 300 ms/ },
  },
  'does not answer': {
    deed: onBlob(() => true),
    ...{ code: 'unreachable', said: /did not answer for 300 ms/ },
  },
  'breaks off at once': {
    deed: onBlob((_, response) => {
      response.socket?.destroy();
      return true;
    }),
    ...{ code: 'unreachable', said: /cannot be reached/ },
  },
  'leads elsewhere': {
    deed: onBlob((_, response) => {
      response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
      return true;
    }),
    ...{ code: 'digest_mismatch', said: /leads elsewhere \(302\), which is not followed/ },
  },
  compresses: {
    deed: onBlob((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(BIG));
      return true;
    }),
    ...{ code: 'digest_mismatch', said: /sends it compressed \(gzip\)/ },
  },
  'sends another part': {
    deed: onBlob((_, response) => {
      response
        .writeHead(206, { 'content-range': `bytes 5-${BIG.length - 1}/${BIG.length}` })
        .end(BIG.subarray(5));
      return true;
    }),
    ...{ code: 'digest_mismatch', said: /sends another part/ },
  },
  'has the manifest and not the content': {
    deed: onBlob((_, response) => {
      response.writeHead(404).end();
      return true;
    }),
    ...{ code: 'source_missing', said: /does not have it/ },
  },
  'lets nobody in': {
    deed: (_, response) => {
      response.writeHead(401).end();
      return true;
    },
    ...{ code: 'unreachable', said: /does not let this station in \(401\)/ },
  },
  'is overloaded': {
    deed: (_, response) => {
      response.writeHead(503, { 'retry-after': '0' }).end();
      return true;
    },
    ...{ code: 'unreachable', said: /answers 503/ },
  },
  'sends the manifest of another package': {
    deed: ({ url = '' }, response) => {
      if (!url.startsWith('/packages/')) return false;
      response.end('\n');
      return true;
    },
    ...{ code: 'digest_mismatch', said: /sent the manifest of e3b0c44298fc1c14/ },
  },
  'sends a manifest without end': {
    deed: ({ url = '' }, response) => {
      if (!url.startsWith('/packages/')) return false;
      const line = Buffer.from(`${'0'.repeat(64)} 1 ${'a'.repeat(900)}\n`.repeat(1_000));
      const more = () => {
        while (!response.destroyed && response.write(line));
        response.once('drain', more);
      };
      more();
      return true;
    },
    ...{ code: 'digest_mismatch', said: /sends more than the \d+ bytes/ },
  },
};

describe.each(Object.entries(DEEDS))('a source that %s', (_, { deed, code, said }) => {
  test('is left, and the next one gives what it did not', async () => {
    const { origin, wanted, fetcher } = await setUp();
    const bad = await serveFolder(origin, deed);
    const good = await serveFolder(origin);
    const fetched = await fetcher([bad.url, good.url], { lanes: 1 }).fetch(wanted);
    expect(await digestOf(fetched.zip)).toBe(wanted.digest);
    expect(good.sentBytes()).toBeGreaterThan(BIG.length - 1_001);
  });

  test(`alone fails with ${code}, says why, and leaves no zip`, async () => {
    const { origin, wanted, fetcher, content } = await setUp();
    const bad = await serveFolder(origin, deed);
    await expect(fetcher([bad.url]).fetch(wanted)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(said) as string,
      details: { name: 'sample', version: '1.0.0' },
    });
    expect(await readdir(path.join(content, 'work')).catch(() => [])).toEqual([]);
  });
});

test('a drop of bytes now and then is too slow, and the next source is asked', async () => {
  const { origin, wanted, fetcher } = await setUp();
  const timers: NodeJS.Timeout[] = [];
  onTestFinished(() => timers.forEach(clearInterval));
  const bad = await serveFolder(
    origin,
    onBlob((_, response) => {
      response.writeHead(200, { 'content-length': BIG.length });
      let at = 0;
      timers.push(setInterval(() => response.write(BIG.subarray(at, ++at)), 20));
      return true;
    }),
  );
  const good = await serveFolder(origin);
  const fetched = await fetcher([bad.url, good.url], { attempts: 1 }).fetch(wanted);
  expect(await digestOf(fetched.zip)).toBe(wanted.digest);
});

test('a source that takes no ranges gives the whole again after a cut', async () => {
  const { origin, wanted, fetcher } = await setUp();
  let isFirst = true;
  const source = await serveFolder(
    origin,
    onBlob((_, response) => {
      response.writeHead(200, { 'content-length': BIG.length });
      if (!isFirst) response.end(BIG);
      else response.write(BIG.subarray(0, 100_000), () => response.destroy());
      isFirst = false;
      return true;
    }),
  );
  const fetched = await fetcher([source.url]).fetch(wanted);
  expect(await digestOf(fetched.zip)).toBe(wanted.digest);
  expect(source.asked.filter((one) => one.includes('bytes='))).toHaveLength(1);
});

test('a file that changes between two ranges is told by its digest, and asked for anew as a whole', async () => {
  const { origin, wanted, fetcher } = await setUp();
  let turn = 0;
  const source = await serveFolder(
    origin,
    onBlob((request, response) => {
      turn++;
      if (turn > 2) return false;
      const wrong = noise(BIG.length);
      const from = turn === 1 ? 0 : Number(/=(\d+)/.exec(request.headers.range ?? '')?.[1]);
      const range = { 'content-range': `bytes ${from}-${BIG.length - 1}/${BIG.length}` };
      response.writeHead(turn === 1 ? 200 : 206, {
        'content-length': BIG.length - from,
        ...(turn > 1 && range),
      });
      if (turn === 1) response.write(wrong.subarray(0, 100_000), () => response.destroy());
      else response.end(BIG.subarray(from));
      return true;
    }),
  );
  const other = await serveFolder(origin);
  const fetched = await fetcher([source.url, other.url], { lanes: 1 }).fetch(wanted);
  expect(await digestOf(fetched.zip)).toBe(wanted.digest);
});

test('nobody that has the package is source_missing, no source at all too', async () => {
  const { folder, wanted, fetcher } = await setUp();
  await mkdir(path.join(folder, 'empty'));
  const empty = await serveFolder(path.join(folder, 'empty'));
  await expect(fetcher([empty.url]).fetch(wanted)).rejects.toMatchObject({
    code: 'source_missing',
    retryable: false,
  });
  await expect(fetcher([]).fetch(wanted)).rejects.toMatchObject({
    code: 'source_missing',
    message: expect.stringContaining('no source is named') as string,
  });
  await expect(fetcher([empty.url, 'http://127.0.0.1:1/']).fetch(wanted)).rejects.toMatchObject({
    code: 'unreachable',
    retryable: true,
  });
});

test('a package that is not signed as the policy demands is refused before its bytes come; a source with the right signature is found', async () => {
  const [known, foreign] = [generateSigningKeys(), generateSigningKeys()];
  const { folder, origin, wanted, fetcher, file } = await setUp();
  const integrity = { mode: 'strict' as const, publicKeys: [known.publicKey] };
  const unsigned = await serveFolder(origin);
  await expect(fetcher([unsigned.url], { integrity }).fetch(wanted)).rejects.toMatchObject({
    code: 'invalid_zip',
    message: expect.stringContaining('is not signed') as string,
  });
  expect(unsigned.asked.filter((one) => one.includes('blobs'))).toEqual([]);
  const copies: Record<string, string> = {};
  for (const [label, { privateKey }] of Object.entries({ known, foreign })) {
    const signed = path.join(folder, `${label}.zip`);
    await signPackage(file, { privateKey, output: signed });
    const { digest } = await exportPackage(signed, path.join(folder, label));
    expect(digest).toBe(wanted.digest);
    copies[label] = (await serveFolder(path.join(folder, label))).url;
  }
  await expect(fetcher([copies.foreign ?? ''], { integrity }).fetch(wanted)).rejects.toMatchObject({
    code: 'invalid_zip',
    message: expect.stringContaining('none of the 1 known') as string,
  });
  const fetched = await fetcher([unsigned.url, copies.foreign ?? '', copies.known ?? ''], {
    integrity,
  }).fetch(wanted);
  await using archive = await openArchive(fetched.zip);
  expect((await archive.read(archive.get('SIGNATURE') as never)).toString()).toContain(known.keyId);
});
