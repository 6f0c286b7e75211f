import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PNG } from 'pngjs';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { Registry } from '../../src/index.js';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { buildPackage } from '../../src/testing/index.js';
import { sampleAlgorithm } from '../../src/testing/sample-algorithm.js';
import { cliFolder } from '../support/cli.js';

const STEPS = [
  {
    index: 1,
    name: 'look',
    params: [
      { key: 'tolerance', type: 'int', min: 0, max: 90, default: 20, unit: 'gray levels' },
      { key: 'mode', type: 'enum', choices: ['fast', 'exact'], required: true },
    ],
  },
];

async function station() {
  const cli = await cliFolder();
  const registry = await Registry.open(path.join(cli.folder, 'station'), { durability: 'none' });
  await deployVersion(registry, { name: 'board-check', version: '1.0.0', productIds: ['A01', 'A02'] });
  await registry.activate({ name: 'board-check', version: '1.0.0', productIds: ['A01'] });
  await registry.close();
  return cli;
}

/** What a compiler says of a source that stands alone. */
function faultsOf(source: string): string[] {
  const host = ts.createCompilerHost({});
  const parsed = ts.createSourceFile('types.ts', source, ts.ScriptTarget.ES2022, true);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, ...rest) => (name === 'types.ts' ? parsed : read(name, ...rest));
  const program = ts.createProgram(['types.ts'], { noEmit: true, strict: true, types: [] }, host);
  return ts
    .getPreEmitDiagnostics(program, parsed)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
}

test('the policy of a version is shown, replaced, scaled and cleared; one that cannot be is refused with the path', async () => {
  const cli = await station();
  const target = ['board-check', '1.0.0'];
  expect((await cli.run('configure', ...target)).stdout).toContain('no policy of its own');
  const set = await cli.run(
    'configure',
    ...target,
    '{"executeTimeoutMs": 5000}',
    '--operator',
    'anna',
    '--json',
  );
  expect([set.code, set.json()]).toEqual([0, { executeTimeoutMs: 5_000 }]);
  const scaled = await cli.run('scale', ...target, '3', '--json');
  expect(scaled.json()).toEqual({ executeTimeoutMs: 5_000, workers: 3 });
  for (const [line, code, message] of [
    ['configure board-check 1.0.0 {"worker":"sdq"}', 2, 'worker'],
    ['configure board-check 1.0.0 {"wrokers":2}', 2, 'workers'],
    ['configure board-check 1.0.0 workers=2', 2, 'configure takes a JSON object such as'],
    ['configure board-check 1.0.0 {} --clear', 2, 'not both'],
    ['configure board-check 1.0.1 {}', 3, 'Did you mean 1.0.0?'],
    ['scale board-check 1.0.0 0', 2, 'takes a whole number from 1 to 1024, not 0'],
    ['scale board-chek 1.0.0 2', 3, 'Did you mean board-check?'],
    ['restore board-check 0.9.0', 3, 'not_found'],
  ] as const) {
    const refused = await cli.run(...line.split(' '));
    expect([line, refused.code, refused.stderr]).toEqual([
      line,
      code,
      expect.stringContaining(message) as string,
    ]);
  }
  expect((await cli.run('configure', ...target, '--json')).json()).toMatchObject({ workers: 3 });
  expect((await cli.run('configure', ...target, '--clear', '--json')).json()).toEqual({});
  const audit = (await cli.run('logs', '--lines', '9')).stdout;
  expect(audit).toContain('anna');
});

test('a guide picture is kept, shown and cleared by step', async () => {
  const cli = await station();
  const png = new PNG({ width: 8, height: 6 });
  png.data = Buffer.alloc(8 * 6 * 3, 7);
  const bytes = PNG.sync.write(png, { colorType: 2, inputColorType: 2, inputHasAlpha: false });
  await writeFile(path.join(cli.folder, 'good.png'), bytes);
  expect(await cli.run('guide', 'A01')).toMatchObject({
    ...{ code: 3, stderr: expect.stringContaining('guide A01 PICTURE keeps one') as string },
  });
  const info = '[{"label":"part","posList":[{"x":1,"y":1,"width":2,"height":2}]}]';
  const kept = await cli.run('guide', 'A01', 'good.png', '--step', '2', '--info', info, '--json');
  expect(kept).toMatchObject({ code: 0 });
  expect(kept.json()).toMatchObject({ product_id: 'A01', step_index: 2, width: 8, height: 6 });
  const shown = await cli.run('guide', 'A01', '--step', '2', '--json');
  expect(shown.json()).toEqual(kept.json());
  expect(await cli.run('guide', 'A01', 'god.png')).toMatchObject({
    ...{ code: 3, stderr: expect.stringContaining('Did you mean good.png?') as string },
  });
  expect(await cli.run('guide', 'A01', '--step', '2', '--info', 'x')).toMatchObject({ code: 2 });
  expect(await cli.run('guide', 'A01', '--step', '2', '--clear')).toMatchObject({ code: 0 });
  expect(await cli.run('guide', 'A01', '--step', '2')).toMatchObject({ code: 3 });
});

test('parameters are kept as the schema allows, and the types of a version or a zip compile', async () => {
  const cli = await cliFolder();
  const about = { name: 'board-check', version: '1.0.0', productIds: ['A01'] };
  const params = JSON.stringify(STEPS[0]?.params).replaceAll('true', 'True');
  const source = sampleAlgorithm({ ...about, generation: 'phased' }).replace(
    '"params": []',
    `"params": ${params}`,
  );
  const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': source };
  const zip = await buildPackage({ ...about, manifest: { steps: STEPS }, files });
  await writeFile(path.join(cli.folder, 'board.zip'), zip);
  const ofZip = await cli.run('types', 'board.zip');
  expect(ofZip).toMatchObject({ code: 0, stderr: '' });
  expect(ofZip.stdout).toContain('export interface Step1 {');
  expect(ofZip.stdout).toContain('mode: "fast" | "exact";');
  expect(await readdir(cli.folder)).toEqual(['board.zip']);

  await cli.run('install', 'board.zip', '--activate');
  expect((await cli.run('types', 'board-check', '1.0.0')).stdout).toBe(ofZip.stdout);
  expect(await cli.run('types', 'board-check', '1.0.0', '--out', 'board.ts')).toMatchObject({ code: 0 });
  const types = await readFile(path.join(cli.folder, 'board.ts'), 'utf8');
  const use = 'export const good: Step1 = { mode: "exact", tolerance: 3 };\n';
  expect(faultsOf(types + use)).toEqual([]);
  expect(faultsOf(`${types}export const bad: Step1 = { mode: "slow" };\n`)).toEqual([
    expect.stringContaining('"slow"') as string,
  ]);
  expect((await cli.run('types', 'board-check', '1.0.0', '--json')).json()).toMatchObject({
    ...{ name: 'board-check', version: '1.0.0', typescript: types },
    steps: [{ index: 1, schema: { properties: { tolerance: { type: 'integer', maximum: 90 } } } }],
  });
  expect(await cli.run('types', 'board-check')).toMatchObject({
    ...{ code: 2, stderr: expect.stringContaining('types board-check VERSION') as string },
  });

  const kept = await cli.run('params', 'A01', '{"tolerance": 30}', '--json');
  expect([kept.code, kept.json()]).toEqual([0, { tolerance: 30 }]);
  expect(await cli.run('params', 'A01', '{"tolerance": 91}')).toMatchObject({
    ...{ code: 2, stderr: expect.stringContaining('tolerance must be at most 90') as string },
  });
  expect(await cli.run('params', 'A02')).toMatchObject({
    ...{ code: 3, stderr: expect.stringContaining('Did you mean A01?') as string },
  });
  const png = new PNG({ width: 8, height: 6 });
  await writeFile(path.join(cli.folder, 'good.png'), PNG.sync.write(png));
  for (const [flags, message] of [
    [['--step', '9'], 'must be one of its steps'],
    [['--params', '{"tolerance": 91}'], 'tolerance must be at most 90'],
    [['--params', '{"tolerence": 9}'], 'Did you mean tolerance?'],
  ] as const) {
    const refused = await cli.run('run', 'A01', 'good.png', ...flags);
    expect(refused).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(message) as string,
    });
    expect(refused.stderr.match(/^error:/gm)).toHaveLength(1);
  }
  expect((await cli.run('params', 'A01')).stdout).toContain('"tolerance": 30');
  expect((await cli.run('params', 'A01', '--clear', '--json')).json()).toEqual({});
});
