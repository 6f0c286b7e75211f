import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { freePort } from '../free-port.js';
import { pythonWith } from '../python-packages.js';

/** Why a test is skipped where there is no server. */
export const NO_S3 = 'moto[s3,server]==5.2.5 cannot be had from the package index';
const MOTO = ['moto[s3,server]==5.2.5'];

export interface S3Server {
  endpoint: string;
  client: S3Client;
  bucket: string;
  stop(): Promise<void>;
}

let python: Promise<string | undefined> | undefined;

/** Whether a server can be had, from the index where it is not kept yet. */
export async function hasS3(): Promise<boolean> {
  python ??= process.platform === 'win32' ? Promise.resolve(undefined) : pythonWith('moto-5.2.5', MOTO);
  return (await python) !== undefined;
}

/** A server of the S3 protocol (moto) with a bucket. */
export async function startS3(): Promise<S3Server> {
  const interpreter = await python;
  if (interpreter === undefined) throw new Error(NO_S3);
  const port = await freePort();
  const server = spawn(
    path.join(path.dirname(interpreter), 'moto_server'),
    ['-H', '127.0.0.1', '-p', String(port)],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const endpoint = `http://127.0.0.1:${port}`;
  let said = '';
  server.stderr.setEncoding('utf8');
  for await (const chunk of server.stderr as AsyncIterable<string>) {
    said += chunk;
    if (said.includes('Running on')) break;
  }
  server.stderr.resume();
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
  });
  await client.send(new CreateBucketCommand({ Bucket: 'plant' }));
  return {
    ...{ endpoint, client, bucket: 'plant' },
    async stop() {
      client.destroy();
      if (server.exitCode !== null || server.signalCode !== null) return;
      server.kill('SIGKILL');
      await once(server, 'exit');
    },
  };
}
