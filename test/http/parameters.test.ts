import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { sampleAlgorithm } from '../../src/testing/sample-algorithm.js';
import { openHttpRunner } from '../support/http-runner.js';
import { OpenApiContract } from '../support/openapi-contract.js';
import { packageFile } from '../support/package-file.js';

const PARAMS = [
  { key: 'count', type: 'int', min: 1, max: 9, default: 3 },
  { key: 'code', type: 'string', pattern: '(?P<line>[A-Z])\\d', required: true },
  { key: 'region', type: 'rect' },
];

/** A station with a version whose one step has all of {@link PARAMS}. */
async function station() {
  const http = await openHttpRunner();
  const about = { name: 'gap-check', version: '1.0.0', productIds: ['A01'] };
  const params = JSON.stringify(PARAMS).replaceAll('true', 'True');
  const source = sampleAlgorithm({ ...about, generation: 'phased' }).replace(
    '"params": []',
    `"params": ${params}`,
  );
  const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': source };
  await http.deployer.install(await packageFile({ ...about, files }));
  return http;
}

test('the parameters of a version are JSON Schema for forms, and in the OpenAPI document while it is active', async () => {
  const { ask, registry } = await station();
  const read = async (path: string) => (await (await ask('GET', path)).json()) as Record<string, unknown>;
  const { steps, ...about } = (await read('/algorithms/gap-check/1.0.0/parameters')) as {
    steps: { index: number; name: string; schema: object }[];
  };
  expect(about).toEqual({ name: 'gap-check', version: '1.0.0' });
  expect(steps).toMatchObject([{ index: 1, name: 'look' }]);
  const fits = new Ajv2020({ strict: true }).compile(steps[0]?.schema ?? {});
  for (const [values, isGood] of [
    [{ code: 'A1' }, true],
    [{ code: 'A1', count: 9, region: '1,2,3,4' }, true],
    [{ code: 'A1', region: { x: 0, y: 0, width: 1, height: 1 } }, true],
    [{ code: 'A1', region: 'left' }, false],
    [{ code: 'A1', count: 10 }, false],
    [{ code: 'a1' }, false],
    [{ code: 'A1', cuont: 1 }, false],
    [{}, false],
  ] as const) {
    expect([values, fits(values)]).toEqual([values, isGood]);
  }
  expect((await ask('GET', '/algorithms/gap-check/2.0.0/parameters')).status).toBe(404);

  const described = async () => {
    const contract = new OpenApiContract(await read('/openapi.json'));
    expect(contract.compileAll()).toBeGreaterThan(50);
    return Object.entries(contract.document.components.schemas).filter(([name]) =>
      name.includes('gap-check'),
    );
  };
  expect(await described()).toEqual([]);
  await registry.activate({ name: 'gap-check', version: '1.0.0', productIds: ['A01'] });
  expect(await described()).toEqual([['Parameters.gap-check.1.0.0.1', steps[0]?.schema]]);
});
