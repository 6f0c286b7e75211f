import { execFile, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import axios from 'axios';
import got from 'got';
import { request as undici } from 'undici';
import { pythonWith } from '../support/python-packages.js';
import { temporaryFolder } from '../support/temp-folder.js';

const execute = promisify(execFile);
const PIXELS = Buffer.alloc(12);
const SIZES = { 'x-image-width': '2', 'x-image-height': '2' };
const RAW = { ...SIZES, 'content-type': 'application/octet-stream' };
const ZIP = { 'content-type': 'application/zip' };
const PARAMS = '{"ng": true}';

/** What a client brings back: statuses, and what was in the answers. */
export interface Found {
  upload: [status: number, name: unknown];
  inspection: [status: number, verdict: unknown];
  form: [status: number, verdict: unknown];
  event: unknown;
}

/** Uploads a package, inspects a picture as raw pixels and in a form, and reads the first event `result`. */
export type Client = (url: string, file: string) => Promise<Found>;

type Answer = Promise<{ status: number; body: unknown }>;
interface Calls {
  upload: (url: string, file: string) => Answer;
  raw: (url: string) => Answer;
  form: (url: string) => Answer;
  stream: (url: string) => Promise<AsyncIterable<Uint8Array>>;
}

const clientOf =
  (calls: Calls): Client =>
  async (url, file) => {
    const upload = await calls.upload(`${url}/algorithms/install`, file);
    const events = await calls.stream(`${url}/events?names=result`);
    const event = firstEvent(events);
    const inspection = await calls.raw(`${url}/inspections/A01`);
    const form = await calls.form(`${url}/inspections/A01`);
    const verdict = ({ status, body }: Awaited<Answer>): [number, unknown] => [
      status,
      (body as { data?: { result_status?: unknown } }).data?.result_status,
    ];
    return {
      upload: [upload.status, (upload.body as { name?: unknown }).name],
      inspection: verdict(inspection),
      form: verdict(form),
      event: await event,
    };
  };

async function firstEvent(stream: AsyncIterable<Uint8Array>): Promise<unknown> {
  let text = '';
  for await (const chunk of stream) {
    text += Buffer.from(chunk).toString();
    const [, data] = /^data: (.*)\n/m.exec(text) ?? [];
    if (data !== undefined) return (JSON.parse(data) as { productId: unknown }).productId;
  }
  throw new Error(`the stream ended without an event: ${text}`);
}

function formOf(): FormData {
  const form = new FormData();
  form.set('image', new Blob([PIXELS], { type: 'application/octet-stream' }), 'pixels');
  form.set('params', PARAMS);
  return form;
}

const viaAxios: Calls = {
  upload: async (url, file) => {
    const headers = { ...ZIP, 'content-length': (await stat(file)).size };
    const { status, data } = await axios.post<unknown>(url, createReadStream(file), {
      headers,
      maxRedirects: 0,
    });
    return { status, body: data };
  },
  raw: async (url) => {
    const { status, data } = await axios.post<unknown>(url, PIXELS, { headers: RAW });
    return { status, body: data };
  },
  form: async (url) => {
    const { status, data } = await axios.post<unknown>(url, formOf(), { headers: SIZES });
    return { status, body: data };
  },
  stream: async (url) => (await axios.get<Readable>(url, { responseType: 'stream' })).data,
};

const viaGot: Calls = {
  upload: async (url, file) => {
    const headers = { ...ZIP, 'content-length': String((await stat(file)).size) };
    const { statusCode, body } = await got.post(url, { body: createReadStream(file), headers });
    return { status: statusCode, body: JSON.parse(body) };
  },
  raw: async (url) => {
    const { statusCode, body } = await got.post(url, { body: PIXELS, headers: RAW });
    return { status: statusCode, body: JSON.parse(body) };
  },
  form: async (url) => {
    const { statusCode, body } = await got.post(url, { body: formOf() as never, headers: SIZES });
    return { status: statusCode, body: JSON.parse(body) };
  },
  stream: (url) => Promise.resolve(got.stream(url)),
};

const viaUndici: Calls = {
  upload: async (url, file) => {
    // Without a length: in chunks.
    const { statusCode, body } = await undici(url, {
      method: 'POST',
      body: createReadStream(file),
      headers: ZIP,
    });
    return { status: statusCode, body: await body.json() };
  },
  raw: async (url) => {
    const { statusCode, body } = await undici(url, { method: 'POST', body: PIXELS, headers: RAW });
    return { status: statusCode, body: await body.json() };
  },
  form: async (url) => {
    const whole = new Response(formOf());
    const headers = { ...SIZES, 'content-type': whole.headers.get('content-type') ?? '' };
    const { statusCode, body } = await undici(url, {
      ...{ method: 'POST', headers },
      body: Buffer.from(await whole.arrayBuffer()),
    });
    return { status: statusCode, body: await body.json() };
  },
  stream: async (url) => (await undici(url)).body,
};

const viaFetch: Calls = {
  upload: async (url, file) => {
    const response = await fetch(url, { method: 'POST', body: await readFile(file), headers: ZIP });
    return { status: response.status, body: await response.json() };
  },
  raw: async (url) => {
    const response = await fetch(url, { method: 'POST', body: PIXELS, headers: RAW });
    return { status: response.status, body: await response.json() };
  },
  form: async (url) => {
    const response = await fetch(url, { method: 'POST', body: formOf(), headers: SIZES });
    return { status: response.status, body: await response.json() };
  },
  stream: async (url) => (await fetch(url)).body as unknown as AsyncIterable<Uint8Array>,
};

async function curl(...args: string[]): Answer {
  const { stdout } = await execute('curl', [
    '--silent',
    '--show-error',
    '--write-out',
    '\n%{http_code}',
    ...args,
  ]);
  const at = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(at)), body: JSON.parse(stdout.slice(0, at)) };
}

const headersOf = (headers: Record<string, string>) =>
  Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]);

const viaCurl: Calls = {
  upload: (url, file) => curl(url, '--data-binary', `@${file}`, ...headersOf(ZIP)),
  raw: async (url) => {
    const file = path.join(await temporaryFolder(), 'pixels');
    await writeFile(file, PIXELS);
    return curl(url, '--data-binary', `@${file}`, ...headersOf(RAW));
  },
  form: async (url) => {
    const file = path.join(await temporaryFolder(), 'pixels');
    await writeFile(file, PIXELS);
    return curl(
      url,
      '--form',
      `image=@"${file}";type=application/octet-stream`,
      '--form',
      `params=${PARAMS}`,
      ...headersOf(SIZES),
    );
  },
  stream: (url) => {
    const child = spawn('curl', ['--silent', '--no-buffer', url], { stdio: ['ignore', 'pipe', 'inherit'] });
    const stop = () => void child.kill();
    return Promise.resolve(
      (async function* () {
        try {
          yield* child.stdout as AsyncIterable<Uint8Array>;
        } finally {
          stop();
        }
      })(),
    );
  },
};

const python = await pythonWith('requests', ['requests==2.32.5']);
const script = fileURLToPath(new URL('http_client.py', import.meta.url));
const viaRequests: Client = async (url, file) => {
  const { stdout } = await execute(python ?? '', [script, url, file]);
  return JSON.parse(stdout) as Found;
};

export const hasProgram = (name: string) =>
  execute(name, name === 'nginx' ? ['-v'] : ['--version']).then(
    () => true,
    () => false,
  );

/** Clients by name; a text says why a client is not here. */
export const CLIENTS: Record<string, Client | string> = {
  curl: (await hasProgram('curl')) ? clientOf(viaCurl) : 'curl is not installed',
  axios: clientOf(viaAxios),
  got: clientOf(viaGot),
  undici: clientOf(viaUndici),
  fetch: clientOf(viaFetch),
  'python-requests': python === undefined ? 'there is no package index here' : viaRequests,
};
