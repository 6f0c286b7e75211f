/**
 * What a station does with its store, by a built library that is given: today's or that of a released version. Uses what all
 * of them have, under the names of the first.
 *
 * `tsx station.ts make|use DIST STORE [PYTHON]` prints one line of JSON.
 */
/* eslint-disable @typescript-eslint/no-deprecated -- names that every version takes */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type * as main from '../../src/index.js';
import type * as testing from '../../src/testing/index.js';

/** The classes that a station uses. */
export type Library = Pick<typeof main, 'AlgorithmSupervisor' | 'Deployer' | 'Registry' | 'VenvManager'>;
type TestKit = Pick<typeof testing, 'buildPackage' | 'buildWheel' | 'wheelFileName'>;

const image = { data: new Uint8Array(12).fill(9), width: 2, height: 2 };
const source = (
  of: string,
  answer: string,
) => `from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory
import tool

class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "board", "version": "${of}", "supported_pids": ["A01", "B01"],
                "steps": [{"index": 1, "name": "look", "params": []}]}

    def pre_execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        return {"status": "OK", "message": "", "data": {}}

    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        pixels = bytes(read_image_from_shared_memory(shared_mem_id, image_meta))
        return {"status": "OK", "message": "", "data": {"result_status": "${answer}", "ng_reason": "spot", "defect_rects": [],
                "debug": {"version": "${of}", "size": len(pixels), "tool": tool.NUMBER}}}
`;

/** Three versions of two packages, by both installers, a switch and a rollback target, a call of each. */
export async function make(
  library: Library,
  kit: TestKit,
  root: string,
  python: string,
): Promise<{ made: string }> {
  const { AlgorithmSupervisor, Deployer, Registry, VenvManager } = library;
  const { buildPackage, buildWheel, wheelFileName } = kit;
  const registry = await Registry.open(root);
  const tool = {
    ...{ name: 'tool', version: '1.0', scripts: { tool: 'tool:main' } },
    files: { 'tool.py': 'NUMBER = 7\ndef main(): print("hello")\n' },
    data: { 'scripts/tool-of-data': '#!python\nprint("hello from data")\n' },
  };
  const wheels = [{ file: wheelFileName(tool), bytes: await buildWheel(tool) }];
  const install = async (
    installer: 'pip' | 'link',
    source: testing.PackageSource & { name: string; version: string },
  ) => {
    const venvs = new VenvManager({ python, installer });
    const deployer = new Deployer({ registry, venvs });
    const zip = path.join(root, 'algorithms', 'zips', `${source.name}-v${source.version}-offline.zip`);
    await mkdir(path.dirname(zip), { recursive: true });
    await writeFile(zip, await buildPackage(source));
    await deployer.install(zip);
    await deployer.close();
  };
  const board = (version: string, answer: string) => ({
    ...{ name: 'board', version, wheels, requirements: 'procvision_algorithm_sdk\ntool\n' },
    manifest: { supported_pids: ['A01', 'B01'] },
    files: { 'algorithm/__init__.py': '', 'algorithm/main.py': source(version, answer) },
  });
  await install('pip', board('1.0.0', 'NG'));
  await install('link', board('2.0.0', 'OK'));
  await install('link', { name: 'any', version: '1.0.0', generation: 'execute-only' });
  await registry.activate({ name: 'board', version: '1.0.0', pids: ['A01', 'B01'] });
  await registry.activate({ name: 'board', version: '2.0.0', pids: ['A01'] });
  const supervisor = new AlgorithmSupervisor({ registry });
  for (const pid of ['A01', 'B01']) await supervisor.execute({ pid, stepIndex: 1, image });
  await supervisor.close();
  await registry.close();
  return { made: root };
}

/** What a host finds in a store and what comes of using it: versions, what serves, verdicts, a switch and a rollback. */
export async function use(library: Library, root: string) {
  const { AlgorithmSupervisor, Deployer, Registry } = library;
  const registry = await Registry.open(root);
  const deployer = new Deployer({ registry });
  const supervisor = new AlgorithmSupervisor({ registry });
  try {
    const { skipped = [] } = (await deployer.recover()) as Partial<main.RecoveryReport>;
    const versions = (await registry.list()).map(({ name, version, state }) => `${name} ${version} ${state}`);
    const verdict = async (pid: string) => {
      const { data } = await supervisor.execute({ pid, stepIndex: 1, image });
      const debug = data.debug as { version: string; tool: number };
      return `${data.result_status} of ${debug.version} with ${debug.tool}`;
    };
    const active = { A01: await verdict('A01'), B01: await verdict('B01') };
    await registry.activate({ name: 'board', version: '2.0.0', pids: ['B01'] });
    const switched = await verdict('B01');
    await registry.rollback({ pid: 'A01' });
    const rolledBack = await verdict('A01');
    const target = { name: 'any', version: '1.0.0' };
    const request = { target, stepIndex: 1, image, guideImage: image };
    const { data } = await supervisor.execute(request);
    const intact: boolean[] = [];
    for (const { name, version } of await registry.list()) {
      intact.push((await deployer.verify(name, version)).intact);
    }
    return { skipped, versions, active, switched, rolledBack, executeOnly: data.result_status, intact };
  } finally {
    await supervisor.close();
    await deployer.close();
    await registry.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , action, dist = '', root = '', python = 'python3'] = process.argv;
  const load = (file: string): Promise<unknown> => import(pathToFileURL(path.join(dist, file)).href);
  try {
    const library = (await load('index.js')) as Library;
    const done =
      action === 'make'
        ? await make(library, (await load('testing/index.js')) as TestKit, root, python)
        : await use(library, root);
    console.log(JSON.stringify(done));
  } catch (error) {
    const { code, message } = error as main.RunnerError;
    console.log(JSON.stringify({ error: { code, message } }));
  }
}
