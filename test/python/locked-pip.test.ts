import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FactsCache } from '../../src/python/interpreters/facts.js';
import { installWithPip } from '../../src/python/pip/install-pip.js';
import { listWheels } from '../../src/python/pip/pip.js';
import { readRequirements } from '../../src/python/pip/requirements-file.js';
import type { Interpreter } from '../../src/python/types.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import type { WheelSource } from '../../src/testing/index.js';
import { findOldPip } from '../support/old-pip.js';
import { IS_WINDOWS } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { wheelFolder } from '../support/wheels.js';

const manager = new VenvManager();
const interpreters = await manager.interpreters();
const oldest = [...interpreters].sort((a, b) =>
  a.version.localeCompare(b.version, 'en', { numeric: true }),
)[0];
const usual = interpreters.find(({ version }) => version.startsWith('3.11.')) ?? interpreters[0];
if (!oldest || !usual) throw new Error('these tests need a Python');
const oldPip = findOldPip();

/** An interpreter, and perhaps a copy of pip in place of its own. */
interface Case {
  of: string;
  interpreter: Interpreter;
  pip?: string;
}
const cases: Case[] = [
  { of: `Python ${usual.version}`, interpreter: usual },
  { of: `Python ${oldest.version}, the oldest at hand`, interpreter: oldest },
  ...(oldPip === undefined
    ? []
    : [{ of: `Python ${oldest.version} from ${path.basename(oldPip)}`, interpreter: oldest, pip: oldPip }]),
];

/** How pip names the file of its configuration. */
const CONFIGURATION = IS_WINDOWS ? 'pip.ini' : 'pip.conf';

const helper: WheelSource = { name: 'helper', version: '1.0', files: { 'helper.py': 'VALUE = 1\n' } };
const outsider: WheelSource = { name: 'outsider', version: '1.0', files: { 'outsider.py': '' } };

/** Installs `helper` of a package whose folder is laid out by the caller. */
async function install(sources: readonly WheelSource[], { interpreter, pip }: Case, conf = '') {
  const { root, ...folder } = await wheelFolder(sources, 'helper\n');
  const venv = await manager.create(path.join(root, 'venv'), { interpreter });
  if (conf !== '') await writeFile(path.join(venv.dir, CONFIGURATION), conf);
  const installing = async () => {
    if (pip === undefined) return manager.install(venv, folder);
    const facts = await new FactsCache().get(interpreter);
    return installWithPip({
      ...{ venv, wheelsFolder: folder.wheels, wheels: await listWheels(folder.wheels), timeoutMs: 60_000 },
      facts: { ...facts, pips: [{ location: pip, version: '20' }] },
      requirements: await readRequirements(folder.requirements),
      ...{ ownFiles: [], onLine: () => undefined, onProgress: () => undefined },
    });
  };
  return { venv, installing };
}

function setVariables(variables: NodeJS.ProcessEnv): void {
  const saved = { ...process.env };
  onTestFinished(() => {
    process.env = saved;
  });
  Object.assign(process.env, variables);
}

describe.each(cases)('pip of $of', (given) => {
  test("installs no wheel from a file that a wheel's metadata names", async () => {
    const elsewhere = await wheelFolder([outsider], '');
    const [file = ''] = await readdir(elsewhere.wheels);
    const url = pathToFileURL(path.join(elsewhere.wheels, file)).href;
    const { venv, installing } = await install([{ ...helper, requires: [`outsider @ ${url}`] }], given);
    await expect(installing()).rejects.toMatchObject({
      code: 'install_failed',
      message: expect.stringMatching(
        /go outside the package.*outsider-1\.0.*only wheels of the package/s,
      ) as string,
    });
    expect(await readdir(venv.sitePackages)).not.toContain('outsider.py');
  });

  test("starts no other program: neither git nor the build of a folder that a wheel's metadata names", async () => {
    const elsewhere = await temporaryFolder();
    const trace = path.join(elsewhere, 'trace');
    const project = path.join(elsewhere, 'project');
    await mkdir(project);
    await writeFile(
      path.join(project, 'pyproject.toml'),
      '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    );
    await writeFile(path.join(project, 'backend.py'), `open(${JSON.stringify(trace)}, "w").close()\n`);
    const git = path.join(elsewhere, 'git');
    await writeFile(git, `#!/bin/sh\ntouch '${trace}'\n`);
    await chmod(git, 0o755);
    setVariables({ PATH: `${elsewhere}${path.delimiter}${process.env.PATH ?? ''}` });
    for (const url of [pathToFileURL(project).href, 'git+ssh://git@host.invalid/outsider.git']) {
      const { installing } = await install([{ ...helper, requires: [`outsider @ ${url}`] }], given);
      await expect(installing()).rejects.toMatchObject({
        code: 'install_failed',
        message: expect.stringContaining('go outside the package') as string,
      });
    }
    await expect(stat(trace)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test("takes no wheel from where the user's, the environment's or a variable's configuration points", async () => {
    const { wheels: elsewhere } = await wheelFolder([{ ...helper, version: '2.0' }], '');
    const links = pathToFileURL(elsewhere).href; // spaces would separate several
    const conf = `[global]\nfind-links = ${links}\n`;
    const home = await temporaryFolder();
    for (const folder of ['.pip', '.config/pip', 'pip']) {
      await mkdir(path.join(home, folder), { recursive: true });
      await writeFile(path.join(home, folder, CONFIGURATION), conf);
    }
    if (IS_WINDOWS) setVariables({ APPDATA: home, USERPROFILE: home });
    setVariables({ HOME: home, PIP_FIND_LINKS: links, PIP_INDEX_URL: 'http://127.0.0.1:9/simple' });
    delete process.env.XDG_CONFIG_HOME;
    const { installing } = await install([helper], given, conf);
    expect(await installing()).toMatchObject({
      installed: [{ name: 'helper', version: '1.0' }],
    });
  });
});

test("chooses no wheel for linking from a file that a wheel's metadata names", async () => {
  const elsewhere = await wheelFolder([outsider], '');
  const [file = ''] = await readdir(elsewhere.wheels);
  const url = pathToFileURL(path.join(elsewhere.wheels, file)).href;
  const { root, ...folder } = await wheelFolder(
    [{ ...helper, requires: [`outsider @ ${url}`] }, outsider],
    'helper\n',
  );
  const linking = new VenvManager({ installer: 'link', wheelStore: path.join(root, 'store') });
  const venv = await linking.create(path.join(root, 'venv'), { interpreter: usual });
  await expect(linking.install(venv, folder)).rejects.toMatchObject({ code: 'install_failed' });
  expect(await readdir(venv.sitePackages)).toEqual([]);
});
