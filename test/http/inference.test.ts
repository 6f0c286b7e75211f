import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { openHttpRunner, serveHttpRunner, type Asked, type HttpRunner } from '../support/http-runner.js';
import { registryEntry } from '../support/registry-entry.js';
import { pythonWith } from '../support/python-packages.js';

type Json = Record<string, unknown>;

const INFER = '/v2/models/A01/infer';
const shape = [4, 8, 3];
const pixels = Buffer.from(Array.from({ length: 96 }, (_, n) => n));

async function deploy(runner: HttpRunner): Promise<void> {
  await runner.deployer.install(await runner.deliver());
  await runner.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
}

const bodyOf = async (response: Response) => (await response.json()) as Json;

/** A request whose tensors are bytes behind the JSON. */
function binary(json: object, ...tensors: Buffer[]): Asked {
  const head = Buffer.from(JSON.stringify(json));
  return {
    body: Buffer.concat([head, ...tensors]),
    headers: {
      'inference-header-content-length': String(head.length),
      'content-type': 'application/octet-stream',
    },
  };
}

const image = (more: object = {}) => ({ name: 'image', shape, datatype: 'UINT8', ...more });
const asBytes = (size = pixels.length) => image({ parameters: { binary_data_size: size } });
const NUMBER = {
  ...{ name: 'tolerance', shape: [1], datatype: 'INT64' },
  parameters: { binary_data_size: 8 },
};
/** Written by hand: `JSON.stringify` itself ends at the depth. */
const NESTED = `{"inputs":[{"name":"image","shape":[4,8,3],"datatype":"UINT8","data":${'['.repeat(50_000)}${']'.repeat(50_000)}}]}`;

test('a model is a product id: its versions, its tensors, whether it takes calls', async () => {
  const runner = await openHttpRunner();
  await deploy(runner);
  await runner.deployer.install(await runner.deliver({ version: '2.0.0' }));
  const { ask } = runner;
  expect(await bodyOf(await ask('GET', '/v2'))).toMatchObject({ extensions: ['binary_tensor_data'] });
  expect(await bodyOf(await ask('GET', '/v2/models/A01'))).toMatchObject({
    ...{ name: 'A01', versions: expect.arrayContaining(['1.0.0', '2.0.0']) as unknown },
    inputs: [{ name: 'image', datatype: 'UINT8' }, { name: 'guide_image' }],
    outputs: [{ name: 'result', datatype: 'BYTES' }, { name: 'verdict' }],
  });
  expect((await ask('GET', '/v2/models/A01/ready')).status).toBe(503);
  expect((await ask('GET', '/v2/health/ready')).status).toBe(503);
  await runner.supervisor.startActive();
  expect((await ask('GET', '/v2/models/A01/ready')).status).toBe(200);
  expect((await ask('GET', '/v2/models/A01/versions/2.0.0/ready')).status).toBe(503);
  const missing = await ask('GET', '/v2/models/A01/versions/9');
  expect(await bodyOf(missing)).toMatchObject({
    status: 404,
    error: 'sample 9 is not deployed: install it first',
  });
});

test('tensors go in and come out as JSON and as bytes, whole or asked for one by one', async () => {
  const runner = await openHttpRunner();
  await deploy(runner);
  const json = await runner.ask('POST', INFER, { json: { id: 'r', inputs: [image({ data: [...pixels] })] } });
  const body = (await json.json()) as { outputs: { name: string; data: string[] }[] };
  expect(body).toMatchObject({ id: 'r', model_name: 'A01', model_version: '1.0.0' });
  expect(body.outputs.map(({ name }) => name)).toEqual(['result', 'verdict']);
  expect(JSON.parse(body.outputs[0]?.data[0] ?? '')).toMatchObject({
    data: { debug: { size: 96, first: [0, 1, 2] } },
  });
  const asked = {
    outputs: [{ name: 'verdict', parameters: { binary_data: true } }],
    parameters: { ng: true },
  };
  const bytes = await runner.ask('POST', INFER, binary({ inputs: [asBytes()], ...asked }, pixels));
  const answer = Buffer.from(await bytes.arrayBuffer());
  const length = Number(bytes.headers.get('inference-header-content-length'));
  expect(JSON.parse(answer.toString('utf8', 0, length))).toMatchObject({
    outputs: [{ name: 'verdict', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: 6 } }],
  });
  expect(answer.subarray(length)).toEqual(Buffer.from('\u0002\0\0\0NG'));
});

describe('a request that is none is a problem with its field, and with `error`', () => {
  test.each<[title: string, asked: Asked, path: string, detail: RegExp]>([
    ['no JSON', { body: 'x', headers: { 'content-type': 'application/json' } }, 'body', /not JSON/],
    ['no inputs', { json: {} }, 'inputs', /./],
    [
      'no picture',
      { json: { inputs: [{ name: 'ng', shape: [1], datatype: 'BOOL', data: [true] }] } },
      'inputs.image',
      /missing/,
    ],
    [
      'a picture of floats',
      { json: { inputs: [image({ datatype: 'FP32', data: [...pixels] })] } },
      'inputs.image',
      /UINT8/,
    ],
    [
      'a shape of no picture',
      { json: { inputs: [image({ shape: [96], data: [...pixels] })] } },
      'inputs.image',
      /shape/,
    ],
    ['too few elements', { json: { inputs: [image({ data: [1] })] } }, 'inputs.image', /asks for 96/],
    [
      'lists in fifty thousand lists',
      { body: NESTED, headers: { 'content-type': 'application/json' } },
      'inputs.image',
      /lists in more than 8 lists/,
    ],
    [
      'a parameter past 2^53',
      binary({ inputs: [asBytes(), NUMBER] }, pixels, Buffer.from(BigInt64Array.of(2n ** 53n + 1n).buffer)),
      'inputs.tolerance',
      /past 2\^53/,
    ],
    [
      'an element that is none',
      { json: { inputs: [image({ data: Array(96).fill(256) })] } },
      'inputs.image',
      /0 to 255/,
    ],
    [
      'a data type that is none',
      { json: { inputs: [image({ datatype: 'UINT9' })] } },
      'inputs.0.datatype',
      /BYTES or one of/,
    ],
    [
      'a size that is less than the shape',
      binary({ inputs: [asBytes(95)] }, pixels),
      'inputs.image',
      /asks for 96/,
    ],
    ['a size past the body', binary({ inputs: [asBytes(97)] }, pixels), 'inputs.image', /does not hold/],
    ['bytes of no input', binary({ inputs: [asBytes()] }, pixels, pixels), 'inputs', /belong to no input/],
    ['a picture twice', binary({ inputs: [asBytes(), asBytes()] }, pixels, pixels), 'inputs.image', /twice/],
    ['neither data nor bytes', { json: { inputs: [image()] } }, 'inputs.image', /not both/],
    [
      'a text that is cut off',
      binary(
        {
          inputs: [
            asBytes(),
            { name: 'p', shape: [1], datatype: 'BYTES', parameters: { binary_data_size: 2 } },
          ],
        },
        pixels,
        Buffer.from('ab'),
      ),
      'inputs.p',
      /cut off/,
    ],
    [
      'an output that is none',
      { json: { inputs: [image()], outputs: [{ name: 'x' }] } },
      'outputs.0.name',
      /result, verdict/,
    ],
    [
      'a step that is none',
      { json: { inputs: [image({ data: [...pixels] })], parameters: { step: 'x' } } },
      'parameters.step',
      /whole/,
    ],
    [
      'a sequence',
      { json: { inputs: [image({ data: [...pixels] })], parameters: { sequence_id: 1 } } },
      'parameters.sequence_id',
      /not served/,
    ],
    [
      'a length of JSON that is none',
      { ...binary({}, pixels), headers: { 'inference-header-content-length': '9999' } },
      'Inference-Header-Content-Length',
      /at most/,
    ],
  ])('%s', async (_title, asked, path, detail) => {
    const runner = await station();
    const problem = await bodyOf(await runner.ask('POST', INFER, asked));
    expect(problem).toMatchObject({ status: 400, code: 'bad_request', details: { path } });
    expect(problem.detail).toMatch(detail);
    expect(problem.error).toBe(problem.detail);
  });

  async function station(): Promise<HttpRunner> {
    const runner = await openHttpRunner();
    // What the version does is of no matter: no call comes to a worker.
    await runner.registry.register(registryEntry('sample', '1.0.0', ['A01']));
    await runner.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
    return runner;
  }
});

const client = await pythonWith('tritonclient', ['tritonclient[http]==2.73.0', 'numpy']);

test.skipIf(client === undefined)(
  `tritonclient 2.73.0 works unchanged${client === undefined ? ' (skipped: there is no package index here)' : ''}`,
  async () => {
    const runner = await serveHttpRunner();
    await deploy(runner);
    await runner.supervisor.startActive();
    const script = fileURLToPath(new URL('../support/triton_client.py', import.meta.url));
    const { stdout } = await promisify(execFile)(client ?? '', [
      script,
      runner.url.replace('http://', ''),
      '1.0.0',
    ]);
    const found = JSON.parse(stdout) as Json & { binary: Json; json: Json };
    expect(found).toMatchObject({
      ...{ live: true, ready: true, 'model ready': [true, true, false] },
      server: { name: 'procvision-runner' },
      model: { name: 'A01', versions: ['1.0.0'] },
      binary: {
        verdict: 'OK',
        debug: { first: [0, 1, 2], size: 96 },
        head: { id: 'r-1', model_name: 'A01' },
      },
      ...{ 'default outputs': 'OK', version: 'OK', ng: 'NG', 'ng by tensor': 'NG' },
      json: { outputs: [{ name: 'verdict', data: ['OK'] }] },
      'unknown model': ['404', expect.stringMatching(/no model nobody/)],
      timeout: ['504', expect.stringMatching(/./)],
      shape: ['400', expect.stringMatching(/1 or 3/)],
      async: Array.from({ length: 12 }, (_, n) => String(n)),
    });
  },
);
