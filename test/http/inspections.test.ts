import { encode } from 'jpeg-js';
import { PNG } from 'pngjs';
import { beforeEach, describe, expect, test } from 'vitest';
import type { InspectionResult } from '../../src/index.js';
import { openHttpRunner, type Asked, type HttpRunner } from '../support/http-runner.js';
import { inJson } from '../support/platform.js';

type Problem = Record<string, unknown> & { code: string; detail: string; details?: { path?: string } };

const WIDTH = 8;
const HEIGHT = 4;
const pixels = Buffer.from(Array.from({ length: WIDTH * HEIGHT * 3 }, (_, n) => n));
const RAW = {
  'content-type': 'application/octet-stream',
  'x-image-width': String(WIDTH),
  'x-image-height': String(HEIGHT),
  'x-image-format': 'RGB8',
};

function png(): Buffer {
  const picture = new PNG({
    width: WIDTH,
    height: HEIGHT,
    colorType: 2,
    inputColorType: 2,
    inputHasAlpha: false,
  });
  picture.data = pixels;
  return PNG.sync.write(picture, { colorType: 2, inputColorType: 2, inputHasAlpha: false });
}

async function station(options: Parameters<typeof openHttpRunner>[0] = {}): Promise<HttpRunner> {
  const runner = await openHttpRunner(options);
  await runner.deployer.install(await runner.deliver());
  await runner.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  return runner;
}

describe('a picture is inspected', () => {
  let runner: HttpRunner;
  beforeEach(async () => {
    runner = await station();
  });
  const send = async (init: Asked, target = '/inspections/A01') => {
    const response = await runner.ask('POST', target, init);
    const body: unknown = await response.json();
    expect(body).toMatchObject({ status: 'OK' });
    expect(response.status).toBe(200);
    return body as InspectionResult & { data: { debug: Record<string, unknown> } };
  };

  test('as pixels, as PNG, as JPEG, and in a form; each answer has the proof of the picture', async () => {
    const raw = await send({ body: pixels, headers: RAW });
    expect(raw).toMatchObject({
      ...{ name: 'sample', version: '1.0.0', attempts: 1, warnings: [] },
      data: { result_status: 'OK', debug: { first: [0, 1, 2], size: pixels.length, pid: 'A01' } },
    });
    expect(raw.proof?.images).toHaveLength(1);
    const asPng = await send({ body: png(), headers: { 'content-type': 'image/png' } });
    expect(asPng.data.debug).toMatchObject({ first: [0, 1, 2], size: pixels.length });
    const rgba = Buffer.alloc(WIDTH * HEIGHT * 4, 200);
    const jpeg = encode({ data: rgba, width: WIDTH, height: HEIGHT }, 95).data;
    const asJpeg = await send({ body: jpeg, headers: { 'content-type': 'image/jpeg' } });
    expect(asJpeg.data.debug.mean).toBeCloseTo(200, -1);
    const form = new FormData();
    form.set('image', new Blob([Buffer.from(png())], { type: 'image/png' }), 'a.png');
    form.set('params', JSON.stringify({ ng: true }));
    expect((await send({ body: form })).data).toMatchObject({
      result_status: 'NG',
      ng_reason: 'asked for it',
    });
  });

  test('with pixels of other formats, by their name in PFNC', async () => {
    const gray = await send({
      body: Buffer.alloc(WIDTH * HEIGHT * 2, 0x10),
      headers: { ...RAW, 'x-image-format': 'Mono16', 'x-image-to-eight-bits': 'shift' },
    });
    expect(gray.data.debug).toMatchObject({ mean: 0x10 });
    const spread = await send({
      body: Buffer.alloc(WIDTH * HEIGHT * 2, 0xff),
      headers: { ...RAW, 'x-image-format': 'Mono16', 'x-image-to-eight-bits': '0-4095' },
    });
    expect(spread.data.debug).toMatchObject({ mean: 255 });
    const padded = await send({
      body: Buffer.alloc((WIDTH * 3 + 8) * HEIGHT, 9),
      headers: { ...RAW, 'x-image-stride': String(WIDTH * 3 + 8) },
    });
    expect(padded.data.debug).toMatchObject({ mean: 9 });
  });

  test('in a file format by the rules that the request names: 16 bits, a turn, and who decodes it', async () => {
    const sixteen = PNG.sync.write(
      Object.assign(new PNG({ width: WIDTH, height: HEIGHT }), {
        data: Buffer.from(new Uint16Array(WIDTH * HEIGHT).fill(0x1234).buffer),
      }),
      { bitDepth: 16, colorType: 0, inputColorType: 0, inputHasAlpha: false },
    );
    const headers = { 'content-type': 'image/png' };
    const byRule = { ...headers, 'x-image-to-eight-bits': 'shift' };
    expect((await send({ body: sixteen, headers: byRule })).data.debug).toMatchObject({ mean: 0x12 });
    const without = await runner.ask('POST', '/inspections/A01', { body: sixteen, headers });
    expect(await without.json()).toMatchObject({ code: 'invalid_image', details: { path: 'toEightBits' } });
    await send({ body: png(), headers }, '/inspections/A01?orientation=ignore&decode=host');
    const handedOn = await runner.ask('POST', '/inspections/A01?decode=package', { body: png(), headers });
    expect(await handedOn.json()).toMatchObject({ code: 'unsupported_image', details: { path: 'decode' } });
    const unknown = await runner.ask('POST', '/inspections/A01?decode=me', { body: png(), headers });
    expect(await unknown.json()).toMatchObject({
      status: 400,
      detail: "decode: must be 'host' or 'package'",
    });
  });

  test('at the step and within the time that the address names', async () => {
    expect(
      (await send({ body: pixels, headers: RAW }, '/inspections/A01?step=1&timeoutMs=30000')).status,
    ).toBe('OK');
    const other = await runner.ask('POST', '/inspections/A01?step=7', { body: pixels, headers: RAW });
    expect(await other.json()).toMatchObject({
      status: 400,
      code: 'invalid_params',
      details: { path: 'stepIndex' },
    });
    const form = new FormData();
    form.set('image', new Blob([png()]));
    form.set('params', '{"sleep_ms": 60000}');
    const late = await runner.ask('POST', '/inspections/A01?timeoutMs=300', { body: form });
    expect(await late.json()).toMatchObject({ status: 504, code: 'timeout' });
  });

  test('an algorithm that answers ERROR, or raises, is a result; its traceback names paths relative to the store', async () => {
    const ask = async (params: object) => {
      const form = new FormData();
      form.set('image', new Blob([png()]));
      form.set('params', JSON.stringify(params));
      const response = await runner.ask('POST', '/inspections/A01', { body: form });
      expect(response.status).toBe(200);
      return response.text();
    };
    expect(JSON.parse(await ask({ status: 'ERROR' }))).toMatchObject({
      status: 'ERROR',
      message: 'asked to fail',
    });
    const raised = await ask({ raise: 'no light' });
    expect(JSON.parse(raised)).toMatchObject({
      status: 'ERROR',
      exception: { type: 'ValueError', message: 'no light' },
    });
    expect(raised).not.toContain(inJson(runner.root));
  });
});

describe('a guide picture', () => {
  test('comes as a part of the form, as pixels or as a file, or is the picture itself', async () => {
    const runner = await openHttpRunner();
    await runner.deployer.install(await runner.deliver({ generation: 'execute-only' }));
    await runner.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
    const ask = async (guide: Blob | string | undefined) => {
      const form = new FormData();
      form.set('image', new Blob([pixels], { type: 'application/octet-stream' }));
      if (guide !== undefined) form.set('guide_image', guide);
      const request = new Request('http://station/inspections/A01', { method: 'POST', body: form });
      for (const [name, value] of Object.entries(RAW).slice(1)) request.headers.set(name, value);
      return (await runner.handler(request)).json();
    };
    const guide = Buffer.from(pixels).reverse();
    const first = (body: unknown) => body as { data: { debug: { guide: number[] } }; warnings: string[] };
    expect(
      first(await ask(new Blob([guide], { type: 'application/octet-stream' }))).data.debug.guide,
    ).toEqual([95, 94, 93]);
    expect(first(await ask(new Blob([png()], { type: 'image/png' }))).data.debug.guide).toEqual([0, 1, 2]);
    expect(first(await ask('same')).warnings).toHaveLength(1);
    expect(await ask(undefined)).toMatchObject({ status: 400, code: 'invalid_params' });
  });
});

describe('a request that comes again with its Idempotency-Key', () => {
  const headers = { ...RAW, 'idempotency-key': '"a-1"' };

  test('gets the same answer, and the algorithm is not run again', async () => {
    const { ask, supervisor } = await station();
    const first = await ask('POST', '/inspections/A01', { body: pixels, headers });
    const body = await first.text();
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    const second = await ask('POST', '/inspections/A01', {
      body: pixels,
      headers: { ...headers, 'idempotency-key': 'a-1' },
    });
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(await second.text()).toBe(body);
    const { latency } = supervisor.status()[0] ?? {};
    const other = await ask('POST', '/inspections/A01', {
      body: pixels,
      headers: { ...headers, 'idempotency-key': 'a-2' },
    });
    expect(await other.text()).not.toBe(body);
    expect(supervisor.status()[0]?.latency.count).toBe((latency?.count ?? 0) + 2); // pre_execute and execute
  });

  test('and another picture is 422, another caller’s is its own, a failed one is made again, one under way is 409', async () => {
    const { ask, registry, deployer, deliver } = await station();
    expect((await ask('POST', '/inspections/A01', { body: pixels, headers })).status).toBe(200);
    const other = await ask('POST', '/inspections/A01', { body: Buffer.alloc(pixels.length), headers });
    expect(await other.json()).toMatchObject({
      status: 422,
      code: 'idempotency_mismatch',
      details: { path: 'Idempotency-Key' },
    });
    const eve = await ask('POST', '/inspections/A01', {
      body: pixels,
      headers: { ...headers, authorization: 'Bearer eve' },
    });
    expect(eve.headers.get('idempotency-replayed')).toBeNull();
    const missing = await ask('POST', '/inspections/B01', { body: pixels, headers });
    expect(missing.status).toBe(404);
    await deployer.install(await deliver({ version: '2.0.0', productIds: ['B01'] }));
    await registry.activate({ name: 'sample', version: '2.0.0', productIds: ['B01'] });
    expect((await ask('POST', '/inspections/B01', { body: pixels, headers })).status).toBe(200);
    const both = await Promise.all(
      [1, 2].map(() =>
        ask('POST', '/inspections/A01', { body: pixels, headers: { ...headers, 'idempotency-key': 'b' } }),
      ),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(both.find(({ status }) => status === 409)?.headers.get('retry-after')).toBe('1');
    const none = await ask('POST', '/inspections/A01', {
      body: pixels,
      headers: { ...headers, 'idempotency-key': 'a b' },
    });
    expect(await none.json()).toMatchObject({ status: 400, details: { path: 'Idempotency-Key' } });
  });
});

describe('a server that is full answers 429 with Retry-After', () => {
  const expectFull = async (response: Response) => {
    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({ code: 'queue_full', retryable: true });
  };
  const sized = { ...RAW, 'content-length': String(pixels.length) };

  test('before it reads a body for which there is no room, and takes it once there is', async () => {
    const { ask } = await station({ maxBufferedBytes: pixels.length + 10 });
    let finish: (() => void) | undefined;
    const slow = new ReadableStream<Uint8Array>({
      start(controller) {
        finish = () => {
          controller.enqueue(pixels);
          controller.close();
        };
      },
    });
    const first = ask('POST', '/inspections/A01', { body: slow, headers: sized, duplex: 'half' });
    await expectFull(await ask('POST', '/inspections/A01', { body: pixels, headers: sized }));
    finish?.();
    expect((await first).status).toBe(200);
    expect((await ask('POST', '/inspections/A01', { body: pixels, headers: sized })).status).toBe(200);
  });

  test('by the number of inspections, and by the queue of the version', async () => {
    const one = await station({ maxInspections: 1 });
    const answers = await Promise.all(
      [1, 2].map(() => one.ask('POST', '/inspections/A01', { body: pixels, headers: RAW })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 429]);
    const narrow = await station();
    await narrow.supervisor.configure('sample', '1.0.0', { maxQueue: 0 });
    await narrow.supervisor.start('sample', '1.0.0');
    const many = await Promise.all(
      [1, 2, 3].map(() => narrow.ask('POST', '/inspections/A01', { body: pixels, headers: RAW })),
    );
    const refused = many.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    for (const response of refused) await expectFull(response);
  });
});

test('a client that goes away ends its inspection, and leaves no room taken', async () => {
  const { ask, supervisor } = await station({ maxInspections: 1 });
  await supervisor.start('sample', '1.0.0');
  const gone = new AbortController();
  const form = new FormData();
  form.set('image', new Blob([png()]));
  form.set('params', '{"sleep_ms": 60000}');
  const left = ask('POST', '/inspections/A01?timeoutMs=120000', { body: form, signal: gone.signal });
  await expect.poll(() => supervisor.status()[0]?.inFlight).toBe(1);
  gone.abort();
  expect((await left).status).toBe(499);
  expect((await ask('POST', '/inspections/A01', { body: pixels, headers: RAW })).status).toBe(200);
});

describe('what cannot be inspected is a problem with its code, its field and a remedy', () => {
  const form = (parts: Record<string, Blob | string>) => {
    const body = new FormData();
    for (const [name, value] of Object.entries(parts)) body.set(name, value);
    return { body };
  };
  const image = new Blob([Buffer.from(png())], { type: 'image/png' });
  const without = (name: string) => Object.fromEntries(Object.entries(RAW).filter(([key]) => key !== name));
  const cases: [
    title: string,
    init: Asked,
    status: number,
    code: string,
    path: string | undefined,
    detail: RegExp,
  ][] = [
    [
      'a type that is no picture',
      { body: 'x', headers: { 'content-type': 'text/plain' } },
      415,
      'unsupported_media_type',
      undefined,
      /image\/jpeg/,
    ],
    ['no type', { body: pixels }, 415, 'unsupported_media_type', undefined, /no content-type/],
    [
      'pixels without a width',
      { body: pixels, headers: without('x-image-width') },
      400,
      'bad_request',
      'X-Image-Width',
      /is missing/,
    ],
    [
      'a width that is none',
      { body: pixels, headers: { ...RAW, 'x-image-width': '1e3' } },
      400,
      'bad_request',
      'X-Image-Width',
      /whole number/,
    ],
    [
      'an empty width beside a picture in a file format',
      { body: png(), headers: { 'content-type': 'image/png', 'x-image-width': '' } },
      400,
      'bad_request',
      'X-Image-Width',
      /whole number/,
    ],
    [
      'a side too long',
      { body: pixels, headers: { ...RAW, 'x-image-height': '65536' } },
      400,
      'bad_request',
      'X-Image-Height',
      /65535/,
    ],
    [
      'a format that is none',
      { body: pixels, headers: { ...RAW, 'x-image-format': 'rgb' } },
      400,
      'bad_request',
      'X-Image-Format',
      /RGB8, BGR8/,
    ],
    [
      'a header of pixels that would be left unread',
      { body: pixels, headers: { ...RAW, 'x-image-formats': 'BGR8' } },
      400,
      'bad_request',
      'x-image-formats',
      /Known are .*x-image-format/,
    ],
    [
      'a header of pixels that would be left unread, beside a file',
      { body: png(), headers: { 'content-type': 'image/png', 'x-image-bottom-up': 'true' } },
      400,
      'bad_request',
      'x-image-bottom-up',
      /Known are x-image-width/,
    ],
    [
      'a rule of bits that is none',
      { body: pixels, headers: { ...RAW, 'x-image-to-eight-bits': '9-1' } },
      400,
      'bad_request',
      'X-Image-To-Eight-Bits',
      /shift/,
    ],
    ['too few pixels', { body: pixels.subarray(1), headers: RAW }, 422, 'invalid_image', undefined, /bytes/],
    ['an empty body', { body: '', headers: RAW }, 400, 'bad_request', 'body', /is empty/],
    [
      'a picture that is none',
      { body: 'no picture', headers: { 'content-type': 'image/png' } },
      422,
      'invalid_image',
      undefined,
      /JPEG|PNG/,
    ],
    [
      'a picture cut off',
      { body: png().subarray(0, 40), headers: { 'content-type': 'image/png' } },
      422,
      'invalid_image',
      undefined,
      /./,
    ],
    ['a form without a picture', form({ params: '{}' }), 400, 'bad_request', 'image', /is missing/],
    [
      'a part that is none',
      form({ image, picture: image }),
      400,
      'bad_request',
      'picture',
      /image, guide_image, params/,
    ],
    ['parameters that are no JSON', form({ image, params: '{' }), 400, 'bad_request', 'params', /not JSON/],
    ['parameters that are no object', form({ image, params: '[1]' }), 400, 'bad_request', 'params', /object/],
    [
      'a form that is none',
      { body: 'x', headers: { 'content-type': 'multipart/form-data; boundary=b' } },
      400,
      'bad_request',
      'body',
      /malformed/,
    ],
    [
      'a form without a boundary',
      { body: 'x', headers: { 'content-type': 'multipart/form-data' } },
      400,
      'bad_request',
      'body',
      /oundary/,
    ],
    [
      'a length that is not that of the body',
      { body: pixels, headers: { ...RAW, 'content-length': '97' } },
      400,
      'bad_request',
      'content-length',
      /96 came/,
    ],
  ];

  test('each of them, and nothing of it is left', async () => {
    const { ask, supervisor } = await station();
    for (const [title, init, status, code, path, detail] of cases) {
      const response = await ask('POST', '/inspections/A01', init);
      const problem = (await response.json()) as Problem;
      expect({ title, status: response.status, code: problem.code }).toEqual({ title, status, code });
      expect(problem.detail).toMatch(detail);
      if (path !== undefined) expect({ title, path: problem.details?.path }).toEqual({ title, path });
    }
    for (const [target, path] of [
      ['?step=x', 'step'],
      ['?step=-1', 'step'],
      ['?timeoutMs=0', 'timeoutMs'],
      ['?timeoutMs=1e3', 'timeoutMs'],
      ['?Step=1', 'Step'],
      ['?orientation=apply', 'orientation'],
      ['?decode=package', 'decode'],
      ['?stepp=2', 'stepp'],
      ['?step_index=2', 'step_index'],
      ['?params=%7B%7D', 'params'],
    ]) {
      const response = await ask('POST', `/inspections/A01${target ?? ''}`, { body: pixels, headers: RAW });
      expect(await response.json()).toMatchObject({ status: 400, details: { path } });
    }
    const unknown = await ask('POST', '/inspections/nobody', { body: pixels, headers: RAW });
    expect(await unknown.json()).toMatchObject({ status: 404, code: 'not_found' });
    expect(supervisor.status()[0]?.inFlight ?? 0).toBe(0);
  });

  test('more bytes than the server takes are 413, told or not', async () => {
    const { ask } = await station({ maxImageBytes: 50 });
    const answer = await ask('POST', '/inspections/A01', {
      body: pixels,
      headers: { ...RAW, 'content-length': '96' },
    });
    expect(answer.status).toBe(413);
    const stream = new Blob([pixels]).stream();
    const streamed = await ask('POST', '/inspections/A01', { body: stream, headers: RAW, duplex: 'half' });
    expect(streamed.status).toBe(413);
  });

  test('a body that does not come in the time of the request is 408', async () => {
    const { ask } = await station();
    const never = new ReadableStream<Uint8Array>();
    const response = await ask('POST', '/inspections/A01?timeoutMs=50', {
      body: never,
      headers: RAW,
      duplex: 'half',
    });
    expect(await response.json()).toMatchObject({ status: 408, code: 'timeout' });
  });

  test('without a supervisor nothing is inspected: 501 that says what is missing', async () => {
    const { ask } = await openHttpRunner({ supervisor: undefined });
    const response = await ask('POST', '/inspections/A01', { body: pixels, headers: RAW });
    expect(await response.json()).toMatchObject({ status: 501, code: 'not_served' });
  });
});
