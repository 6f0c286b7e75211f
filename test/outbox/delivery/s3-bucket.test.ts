import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  HeadObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { S3Bucket, type S3TargetOptions } from '../../../src/outbox/delivery/targets/s3-bucket.js';
import { attempt, outgoing, picture, verdict } from '../../support/outbox/samples.js';
import { hasS3, NO_S3, startS3, type S3Server } from '../../support/outbox/s3-server.js';

const isThere = await hasS3();
const MIB = 2 ** 20;

describe.skipIf(!isThere)(`a bucket${isThere ? '' : ` (skipped: ${NO_S3})`}`, () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3();
  });
  afterAll(() => server.stop());

  const target = (o: Partial<S3TargetOptions> = {}) =>
    new S3Bucket({
      ...{ bucket: server.bucket, endpoint: server.endpoint },
      ...{ accessKeyId: 'key', secretAccessKey: 'secret' },
      ...o,
    });
  const names = async (Prefix: string) => {
    const listed = await server.client.send(new ListObjectsV2Command({ Bucket: server.bucket, Prefix }));
    return (listed.Contents ?? []).map(({ Key = '' }) => Key);
  };
  const read = async (Key: string) => {
    const { Body } = await server.client.send(new GetObjectCommand({ Bucket: server.bucket, Key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  };

  test('a batch is an object of JSON lines; sent again with more, it replaces the one before', async () => {
    const batch = [1, 2, 3].map((number) => outgoing(verdict(number)));
    const bucket = target({ prefix: 'line-1/' });
    expect(await bucket.sendRecords(batch.slice(0, 2), attempt())).toEqual({ state: 'taken' });
    expect(await bucket.sendRecords(batch, attempt())).toEqual({ state: 'taken' });
    const [name = '', ...others] = await names('line-1/records/');
    expect(others).toEqual([]);
    const lines = (await read(name)).toString().trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([1, 2, 3].map((n) => verdict(n)));
  });

  test('a picture is an object with its digest, and what it is comes after it', async () => {
    const sent = picture(randomBytes(100_000));
    expect(await target({ prefix: 'small/' }).sendPicture(sent, attempt())).toEqual({ state: 'taken' });
    const [file = ''] = await names('small/pictures/');
    const [index = ''] = await names('small/artifacts/');
    expect(JSON.parse((await read(index)).toString())).toMatchObject({
      ...sent.artifact,
      ...{ sha256: sent.sha256, file: file.replace('small/', '') },
    });
    expect(
      createHash('sha256')
        .update(await read(file))
        .digest('hex'),
    ).toBe(sent.sha256);
  });

  test('a large picture goes in parts', async () => {
    const sent = picture(randomBytes(12 * MIB), { artifact_id: 'large' });
    const bucket = target({ prefix: 'large/', partBytes: 5 * MIB });
    expect(await bucket.sendPicture(sent, attempt())).toEqual({ state: 'taken' });
    const [file = ''] = await names('large/pictures/');
    const head = await server.client.send(new HeadObjectCommand({ Bucket: server.bucket, Key: file }));
    expect(head.ETag).toMatch(/-3"$/); // made of three parts
    expect(
      createHash('sha256')
        .update(await read(file))
        .digest('hex'),
    ).toBe(sent.sha256);
  });

  test('parts of an upload that was given up are removed', async () => {
    const controller = new AbortController();
    const cut = {
      signal: controller.signal,
      pace: () => (controller.abort(), Promise.resolve()),
    };
    const sent = picture(randomBytes(12 * MIB), { artifact_id: 'cut' });
    const outcome = await target({ prefix: 'cut/', partBytes: 5 * MIB }).sendPicture(sent, cut);
    expect(outcome).toMatchObject({ state: 'failed', cause: 'network' });
    const left = await server.client.send(new ListMultipartUploadsCommand({ Bucket: server.bucket }));
    expect(left.Uploads ?? []).toEqual([]);
    expect(await names('cut/')).toEqual([]);
  });

  test('a bucket that is not there is a failure, not a refusal of the records', async () => {
    const outcome = await target({ bucket: 'none' }).sendRecords([outgoing(verdict(1))], attempt());
    expect(outcome).toMatchObject({ state: 'failed', cause: 'platform', reason: /NoSuchBucket/ as never });
  });

  test('a storage that is not there is a failure of the network', async () => {
    const outcome = await target({ endpoint: 'http://127.0.0.1:9' }).sendRecords(
      [outgoing(verdict(1))],
      attempt(),
    );
    expect(outcome).toMatchObject({ state: 'failed', cause: 'network' });
  });
});

test('each object goes with the SHA-256 of its bytes', async () => {
  const sums: [said: string | string[] | undefined, is: string][] = [];
  const server = createServer((request, response) => {
    const hash = createHash('sha256');
    request.pipe(hash).once('finish', () => {
      sums.push([request.headers['x-amz-checksum-sha256'], hash.digest('base64')]);
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const bucket = new S3Bucket({ bucket: 'b', endpoint, accessKeyId: 'key', secretAccessKey: 'secret' });
  await bucket.sendRecords([outgoing(verdict(1))], attempt());
  await bucket.sendPicture(picture(randomBytes(1_000)), attempt());
  await bucket.close();
  expect(sums).toHaveLength(3);
  for (const [said, is] of sums) expect(said).toBe(is);
});

test('without the optional peer the error says what to install', () => {
  const load = () => {
    throw new Error('not found');
  };
  expect(() => new S3Bucket({ bucket: 'b' }, load)).toThrow(/npm install @aws-sdk\/client-s3/);
});
