import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { randomBytes } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { writeZip, type ZipEntry } from '../../src/testing/index.js';

/** What a source does with a request before its folder is looked at; true when it has answered. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

/** A web server over a folder, with counters. */
export interface StaticSource {
  url: string;
  /** Bytes of bodies that were sent. */
  sentBytes: () => number;
  /** Paths that were asked for, each with its Range. */
  asked: string[];
}

/** Serves a folder like a web server, Range included; ends with the test. */
export async function serveFolder(folder: string, misbehave?: Misbehaviour): Promise<StaticSource> {
  let sent = 0;
  const asked: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    asked.push(`${request.url ?? ''} ${request.headers.range ?? ''}`.trim());
    if (await misbehave?.(request, response)) return;
    const file = path.join(folder, path.normalize(decodeURIComponent(request.url ?? '/')));
    const size = (await stat(file).catch(() => undefined))?.size;
    if (size === undefined) {
      response.writeHead(404).end();
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const range = { 'content-range': `bytes ${from}-${size - 1}/${size}` };
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': size - from, ...(from > 0 && range) });
    const stream = createReadStream(file, { start: from });
    stream.on('data', (chunk) => (sent += chunk.length));
    await pipeline(stream, response);
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, sentBytes: () => sent, asked };
}

/** Content that nothing shrinks and nothing else has. */
export const noise = (bytes: number): Buffer => randomBytes(bytes);

/** The entries of a package, of a size that a test gives: what the fetch looks at is names, sizes and digests. */
export function packageOf(version: string, files: Record<string, Uint8Array | string>): Buffer {
  const manifest = {
    name: 'sample',
    version,
    entry_point: 'algorithm.main:Algorithm',
    supported_pids: ['A01'],
  };
  const entries: ZipEntry[] = [
    { name: 'sample/manifest.json', data: JSON.stringify(manifest) },
    { name: 'sample/requirements.txt', data: '' },
    ...Object.entries(files).map(([name, data]) => ({ name, data })),
  ];
  return writeZip(entries);
}
