import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect, onTestFinished, test } from 'vitest';
import { packageEntries } from '../../src/testing/index.js';
import { startScript } from '../support/child-script.js';
import { writeSparseArchive } from '../support/sparse-archive.js';
import { temporaryFolder } from '../support/temp-folder.js';

const MIB = 1024 ** 2;
const ENTRY_BYTES = 32 * MIB;
/** `npm run soak:upload` uploads 2 GiB. */
const UPLOAD_MIB = Number(process.env.SOAK_UPLOAD_MIB ?? 128);
/** Buffers on the way from the socket to the disk and from the zip to the store, whatever the package's size. */
const GROWTH_MIB = 96;

/** A package with this much ballast in its assets. */
async function writePackage(folder: string, version: string, mebibytes: number): Promise<string> {
  const file = path.join(folder, `${version}.zip`);
  const parts = await packageEntries({ version });
  const first = parts.map(({ name, data = '' }) => ({ name, data: Buffer.from(data) }));
  const entries = (mebibytes * MIB) / ENTRY_BYTES;
  await writeSparseArchive(file, { first, entries, entryBytes: ENTRY_BYTES, folder: 'sample/assets/' });
  return file;
}

async function upload(port: number, file: string): Promise<number | undefined> {
  const headers = { 'content-type': 'application/zip' };
  const request = http.request({
    ...{ port, host: '127.0.0.1', method: 'POST', path: '/algorithms/install', headers },
  });
  const answered = once(request, 'response') as Promise<[http.IncomingMessage]>;
  await pipeline(createReadStream(file), request);
  const [response] = await answered;
  response.resume();
  await once(response, 'end');
  return response.statusCode;
}

test(
  `an upload of ${UPLOAD_MIB} MiB is installed, and the host grows by buffers alone`,
  { timeout: 600_000 },
  async () => {
    const folder = await temporaryFolder();
    const root = path.join(folder, 'station');
    const lines: string[] = [];
    let tell: (() => void) | undefined;
    const host = await startScript('upload-host.ts', [root], (line) => {
      lines.push(line);
      tell?.();
    });
    onTestFinished(async () => {
      host.process.kill();
      await host.end;
    });
    const next = async (): Promise<number> => {
      while (lines.length === 0) {
        await Promise.race([
          new Promise<void>((resolve) => (tell = resolve)),
          host.end.then(({ stderr }) => Promise.reject(new Error(stderr))),
        ]);
      }
      return Number(lines.shift()?.split(' ')[1]);
    };
    const port = await next();

    expect(await upload(port, await writePackage(folder, '1.0.0', ENTRY_BYTES / MIB))).toBe(201);
    const small = await next();
    expect(await upload(port, await writePackage(folder, '2.0.0', UPLOAD_MIB))).toBe(201);
    const large = await next();

    const assets = path.join(root, 'algorithms/deployed/sample/2.0.0/assets');
    const files = await readdir(assets);
    expect(files).toHaveLength((UPLOAD_MIB * MIB) / ENTRY_BYTES);
    for (const file of files) expect((await stat(path.join(assets, file))).size).toBe(ENTRY_BYTES);
    expect(await readdir(path.join(root, 'algorithms/zips'))).toHaveLength(2);
    expect((large - small) / MIB).toBeLessThan(GROWTH_MIB);
    if (process.env.SOAK_UPLOAD_MIB !== undefined) {
      const inMib = (bytes: number) => Math.round(bytes / MIB);
      process.stdout.write(
        `the host held ${inMib(small)} MiB for ${ENTRY_BYTES / MIB} MiB, ${inMib(large)} for ${UPLOAD_MIB}\n`,
      );
    }
  },
);
