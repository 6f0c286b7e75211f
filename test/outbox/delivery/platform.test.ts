import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HttpPlatform, type HttpTargetOptions } from '../../../src/outbox/delivery/http/platform.js';
import { Platform, type Fault, type PlatformOptions } from '../../support/outbox/platform.js';
import { artifactOf, attempt, outgoing, picture, verdict } from '../../support/outbox/samples.js';
import { HAS_OPENSSL, makeAuthority } from '../../support/outbox/certificates.js';
import { temporaryFolder } from '../../support/temp-folder.js';

async function opened(
  o: PlatformOptions = {},
  target: Partial<HttpTargetOptions> = {},
): Promise<{ platform: Platform; target: HttpPlatform }> {
  const platform = await Platform.start(o);
  const made = new HttpPlatform({ url: platform.url, ...target });
  onTestFinished(async () => {
    await made.close();
    await platform.close();
  });
  return { platform, target: made };
}

/** Goes wrong the first time alone. */
const once =
  (fault: Fault, route = 'logs'): PlatformOptions['fault'] =>
  (called, call) =>
    called === route && call === 1 ? fault : undefined;

const batch = [1, 2, 3].map((number) => outgoing(verdict(number)));

describe('records by HTTP', () => {
  test('a batch is a JSON array of all records in their order', async () => {
    const { platform, target } = await opened({ token: 'secret' }, { token: 'secret' });
    expect(await target.sendRecords(batch, attempt())).toEqual({ state: 'taken' });
    expect([...platform.records.values()]).toEqual([1, 2, 3].map((number) => verdict(number)));
    expect(platform.violations).toEqual([]);
  });

  test.each<[name: string, fault: Fault, cause: string, reason: RegExp]>([
    ['500', { status: 500, body: 'oops' }, 'platform', /answered with 500: oops/],
    ['503', { status: 503 }, 'platform', /503: the answer is empty/],
    ['408', { status: 408 }, 'platform', /408/],
    ['404, which speaks of the address', { status: 404 }, 'platform', /404/],
    ['401', { status: 401 }, 'credentials', /look at the token/],
    ['403', { status: 403 }, 'credentials', /look at the token/],
    [
      'a redirect, which is not followed',
      { status: 307, headers: { location: 'https://x/' } },
      'platform',
      /redirected to https:\/\/x\/, which is not followed/,
    ],
    [
      'a page of somebody else with 200',
      'wrongJson',
      'platform',
      /not with {"status": "OK"}: <html>Please log in/,
    ],
    ['an answer that is no OK', { status: 200, body: '{"status":"BUSY"}' }, 'platform', /BUSY/],
    ['a reset in the middle of the body', 'reset', 'network', /POST \/v1\/logs\/batch/],
    ['an answer that is lost after storing', 'lostAnswer', 'network', /POST \/v1\/logs\/batch/],
  ])(
    '%s says nothing about the records: they are sent again, and stored once',
    async (_, fault, cause, reason) => {
      const { platform, target } = await opened({ fault: once(fault) });
      const outcome = await target.sendRecords(batch, attempt());
      expect(outcome).toMatchObject({
        state: 'failed',
        cause,
        reason: expect.stringMatching(reason) as string,
      });
      expect(await target.sendRecords(batch, attempt())).toEqual({ state: 'taken' });
      expect(platform.records.size).toBe(3);
    },
  );

  test.each([400, 409, 413, 415, 422])('%i is a refusal for good, with what was said', async (status) => {
    const { target } = await opened({ fault: once({ status, body: 'bad\u001b[31m step' }) });
    const outcome = await target.sendRecords(batch, attempt());
    expect(outcome).toEqual({
      state: 'refused',
      reason: `POST /v1/logs/batch was refused with ${status}: bad [31m step`,
    });
  });

  test.each([
    'The SSL certificate error',
    'No required SSL certificate was sent',
    'Request Header Or Cookie Too Large',
    'The plain HTTP request was sent to HTTPS port',
  ])('400 of nginx with "%s" says nothing about the records', async (said) => {
    const body = `<html>\r\n<head><title>400 ${said}</title></head>\r\n</html>`;
    const { target } = await opened({ fault: once({ status: 400, body }) });
    const outcome = await target.sendRecords(batch, attempt());
    expect(outcome).toMatchObject({ state: 'failed', cause: 'credentials' });
    expect(await target.sendRecords(batch, attempt())).toEqual({ state: 'taken' });
  });

  test.each([
    ['seconds', '7', 7_000],
    ['a date', new Date(Date.now() + 3_600_000).toUTCString(), 3_600_000],
    ['more than an hour, which is cut', '999999', 3_600_000],
  ])('Retry-After in %s is passed on', async (_, header, ms) => {
    const { target } = await opened({ fault: once({ status: 429, headers: { 'retry-after': header } }) });
    const outcome = await target.sendRecords(batch, attempt());
    expect(outcome).toMatchObject({ state: 'failed', cause: 'platform' });
    const { retryAfterMs = 0 } = outcome as { retryAfterMs?: number };
    expect(retryAfterMs).toBeGreaterThan(ms - 60_000);
    expect(retryAfterMs).toBeLessThanOrEqual(ms);
  });

  test('a platform that never answers: the attempt ends with its signal', async () => {
    const { platform, target } = await opened({ fault: once('hang') });
    const controller = new AbortController();
    const sent = target.sendRecords(batch, attempt(controller.signal));
    await expect.poll(() => platform.calls.logs).toBe(1);
    controller.abort();
    expect(await sent).toMatchObject({
      state: 'failed',
      cause: 'network',
      reason: /not answered in time/ as never,
    });
  });

  test('a platform that is not there is a failure of the network', async () => {
    const { platform, target } = await opened();
    await platform.close();
    expect(await target.sendRecords(batch, attempt())).toMatchObject({ state: 'failed', cause: 'network' });
  });

  test('a new token in the file is in force at the next request', async () => {
    const tokenFile = path.join(await temporaryFolder(), 'token');
    await writeFile(tokenFile, 'old\n');
    const { target } = await opened({ token: 'new' }, { tokenFile });
    expect(await target.sendRecords(batch, attempt())).toMatchObject({
      state: 'failed',
      cause: 'credentials',
    });
    await writeFile(tokenFile, 'new\n');
    expect(await target.sendRecords(batch, attempt())).toEqual({ state: 'taken' });
  });
});

describe('pictures by HTTP', () => {
  const bytes = randomBytes(300_000);

  test('presign, PUT with the given headers, and the commit after the upload', async () => {
    const { platform, target } = await opened({ token: 'secret' }, { token: 'secret' });
    const sent = picture(bytes);
    expect(await target.sendPicture(sent, attempt())).toEqual({ state: 'taken' });
    expect(platform.requests).toEqual(['presign', 'put', 'commit']);
    expect(platform.violations).toEqual([]);
    const stored = platform.artifacts.get('art-1');
    expect(stored).toMatchObject({ sha256: sent.sha256, bytes: bytes.length });
    expect(stored?.artifact).toMatchObject(artifactOf(bytes));
  });

  test.each<[string, Fault, string]>([
    ['500 of the presign', { status: 500 }, 'presign'],
    ['an answer of the presign without an address', { status: 200, body: '{"key": "x"}' }, 'presign'],
    ['403 of the storage, as for an address that has run out', { status: 403 }, 'put'],
    ['500 of the storage', { status: 500 }, 'put'],
    ...['RequestTimeout', 'ExpiredToken', 'BadDigest'].map((code): [string, Fault, string] => [
      `400 ${code} of the storage`,
      { status: 400, body: `<?xml version="1.0"?><Error><Code>${code}</Code></Error>` },
      'put',
    ]),
    ['500 of the commit', { status: 500 }, 'commit'],
    ['a commit whose answer is lost', 'lostAnswer', 'commit'],
  ])('%s: the picture is sent again and there once', async (_, fault, route) => {
    const { platform, target } = await opened({ fault: once(fault, route) });
    expect(await target.sendPicture(picture(bytes), attempt())).toMatchObject({ state: 'failed' });
    expect(platform.requests).not.toContain('artifacts');
    if (route !== 'commit') expect(platform.requests).not.toContain('commit');
    expect(await target.sendPicture(picture(bytes), attempt())).toEqual({ state: 'taken' });
    expect(platform.artifacts.size).toBe(1);
    expect(platform.violations).toEqual([]);
  });

  test.each([
    [
      'whose storage cannot be reached from here',
      {},
      (platform: Platform) => {
        platform.closeStorage();
      },
    ],
    ['that presigns nothing', { presigns: false }, () => undefined],
  ])('through the API itself for a platform %s', async (_, o, prepare) => {
    const { platform, target } = await opened(o);
    prepare(platform);
    const sent = picture(bytes);
    expect(await target.sendPicture(sent, attempt())).toEqual({ state: 'taken' });
    expect(platform.requests.at(-1)).toBe('artifacts');
    expect(platform.artifacts.get('art-1')).toMatchObject({
      sha256: sent.sha256,
      artifact: artifactOf(bytes),
    });
    expect(platform.violations).toEqual([]);
  });

  test('a storage that says EntityTooLarge refuses the picture for good', async () => {
    const body = '<Error><Code>EntityTooLarge</Code></Error>';
    const { target } = await opened({ fault: once({ status: 400, body }, 'put') });
    expect(await target.sendPicture(picture(bytes), attempt())).toMatchObject({ state: 'refused' });
  });

  test('never through the API with pictures: presigned', async () => {
    const { platform, target } = await opened({ presigns: false }, { pictures: 'presigned' });
    expect(await target.sendPicture(picture(bytes), attempt())).toMatchObject({ state: 'failed' });
    expect(platform.requests).toEqual(['presign']);
  });

  test('a storage that cuts the line in the middle of the body: through the API, and there once', async () => {
    const { platform, target } = await opened({ fault: once('reset', 'put') });
    expect(await target.sendPicture(picture(randomBytes(5_000_000)), attempt())).toEqual({ state: 'taken' });
    expect(platform.artifacts.size).toBe(1);
  });
});

describe('TLS', () => {
  const needs = HAS_OPENSSL ? '' : ' (skipped: there is no openssl to make certificates)';
  test.skipIf(!HAS_OPENSSL)(`a client certificate is shown where it is demanded${needs}`, async () => {
    const { ca, server, client, folder } = await makeAuthority();
    const platform = await Platform.start({ tls: { ...server, ca, requestCert: true } });
    const files = {
      caFile: path.join(folder, 'ca.pem'),
      certFile: path.join(folder, 'client.pem'),
      keyFile: path.join(folder, 'client-key.pem'),
    };
    const send = async (tls: HttpTargetOptions['tls']) => {
      const target = new HttpPlatform({ url: platform.url, ...(tls && { tls }) });
      const outcome = await target.sendRecords(batch, attempt());
      const ofPicture = await target.sendPicture(picture(randomBytes(100)), attempt());
      await target.close();
      return [outcome, ofPicture];
    };
    onTestFinished(() => platform.close());
    expect(client.cert).toContain('CERTIFICATE');
    expect(await send(files)).toEqual([{ state: 'taken' }, { state: 'taken' }]);
    expect(await send({ caFile: files.caFile })).toMatchObject([{ state: 'failed' }, { state: 'failed' }]);
    const [untrusted] = await send(undefined);
    expect(untrusted).toMatchObject({ state: 'failed', cause: 'credentials' });
    expect(await send({ ...files, keyFile: path.join(folder, 'none.pem') })).toMatchObject([
      { state: 'failed', cause: 'credentials', reason: /none\.pem cannot be read/ as never },
      { state: 'failed' },
    ]);
  });

  test.each([
    ['http://platform.example', /begin with https:/],
    ['ftp://platform.example', /begin with https:/],
    ['https://me:secret@platform.example', /must have no password/],
    ['https://platform.example/?a=1', /must end with its path/],
    ['platform.example', /must be an address/],
  ])('%s is refused as an address', (url, message) => {
    expect(() => new HttpPlatform({ url })).toThrow(message);
  });

  test('a plain line to another machine has to be allowed', () => {
    expect(new HttpPlatform({ url: 'http://10.0.0.7/api/', allowPlainHttp: true }).title).toBe(
      'http://10.0.0.7/api',
    );
  });
});
