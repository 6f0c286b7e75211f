/** What the parameters of a call cost: checked against the schema of the version, filled in, sent and read. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { steeredAlgorithm } from '../../test/support/steered-algorithm.js';
import type { BenchCase, Contestant } from '../harness/case.js';
import { pairedCost } from '../harness/statistics.js';
import { SMALL_IMAGE } from '../support/station.js';

/** Twenty parameters, of each type some. */
const KINDS = [
  { parameter: { type: 'int', min: 0, max: 100, default: 5 }, value: 7 },
  { parameter: { type: 'float', min: 0, max: 1, default: 0.5 }, value: 0.25 },
  { parameter: { type: 'enum', choices: ['fast', 'exact'], default: 'fast' }, value: 'exact' },
  { parameter: { type: 'string', max_length: 40, pattern: '[A-Z]+\\d*' }, value: 'BOARD7' },
  { parameter: { type: 'rect' }, value: { x: 0, y: 0, width: 10, height: 10 } },
];
const TWENTY = Array.from({ length: 20 }, (_, n) => {
  const { parameter, value } = KINDS[n % KINDS.length] ?? { parameter: {}, value: 0 };
  return { parameter: { key: `parameter_${n}`, ...parameter }, value };
});
const GIVEN = Object.fromEntries(TWENTY.map(({ parameter, value }) => [parameter.key, value]));
const VERSIONS = [
  { version: '1.0.0', params: [] },
  { version: '2.0.0', params: TWENTY.map(({ parameter }) => parameter) },
];

const twenty: BenchCase = {
  name: 'parameters/twenty',
  measures:
    'What a call of 64 x 48 with 20 declared parameters costs more than a call of a version that declares none',
  figures: { cost: { unit: 'ms' }, without: { unit: 'ms' } },
  bars: ['SDK adapter', 'bundled worker'].map((worker) => ({
    ...{ figure: 'cost', contestant: `ours, ${worker}`, atMost: 0.02 },
  })),
  rounds: 7,
  oneCore: true,
  async open(context) {
    const { main, testing } = context.library;
    const registry = await main.Registry.open(path.join(context.folder, 'station'), { durability: 'none' });
    context.onClose(() => registry.close());
    const deployer = new main.Deployer({ registry });
    for (const { version, params } of VERSIONS) {
      const steps = JSON.stringify([{ index: 1, name: 'look', params }]);
      const source = steeredAlgorithm()
        .replace('"version": "1.0.0"', `"version": "${version}"`)
        .replace('"steps": []', `"steps": ${steps}`);
      const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': source };
      const zip = path.join(context.folder, `sample-${version}.zip`);
      await writeFile(zip, await testing.buildPackage({ version, files }));
      await deployer.install(zip);
    }
    await deployer.close();
    const paired = (worker: 'sdk' | 'bundled') => async (): Promise<Contestant> => {
      const supervisor = new main.AlgorithmSupervisor({ registry, worker });
      context.onClose(() => supervisor.close());
      const [without, having] = VERSIONS.map(
        ({ version, params }) =>
          () =>
            supervisor.execute({
              target: { name: 'sample', version },
              ...{ stepIndex: 1, image: SMALL_IMAGE, userParams: params.length > 0 ? GIVEN : undefined },
            }),
      ) as [() => Promise<unknown>, () => Promise<unknown>];
      await without();
      await having();
      return {
        round: async () => {
          const { cost, base } = await pairedCost(without, having, context.quick ? 20 : 1_000);
          return { cost, without: base };
        },
      };
    };
    return { 'ours, SDK adapter': paired('sdk'), 'ours, bundled worker': paired('bundled') };
  },
};

export const cases: BenchCase[] = [twenty];
