import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { VenvManager } from '../../src/python/venv-manager.js';
import { bundledScript } from '../support/bundled-script.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { wheelFolder } from '../support/wheels.js';

const interpreter = await new VenvManager().select({});
const script = await bundledScript('link-once.ts');
const many = {
  name: 'many',
  version: '1.0',
  stored: true,
  files: Object.fromEntries(
    Array.from({ length: 1500 }, (_, index) => [`many/file${index}.py`, `VALUE = ${index}\n`]),
  ),
};

function linkInChild(dir: string, store: string, source: { wheels: string; requirements: string }) {
  const args = [script, dir, store, source.wheels, source.requirements, interpreter.path];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  return { child, output: () => output, ended: once(child, 'close') };
}

test('three processes that need the same wheel at once all get it, and it is stored once', async () => {
  const source = await wheelFolder([many], 'many\n');
  const root = await temporaryFolder();
  const store = path.join(root, 'store');
  const children = [1, 2, 3].map((index) => linkInChild(path.join(root, `venv${index}`), store, source));
  await Promise.all(children.map(({ ended }) => ended));
  for (const { output } of children) expect(output()).toMatch(/done\n$/);
  const manager = new VenvManager();
  for (const index of [1, 2, 3]) await manager.verify(await manager.load(path.join(root, `venv${index}`)));
  expect(
    (await readdir(store, { recursive: true })).filter((name) => name.endsWith('entry.json')),
  ).toHaveLength(1);
  expect(await readdir(path.join(store, 'building'))).toEqual([]);
});

test.each(['unpack', 'install'])(
  'a process killed in stage %s leaves a store that works and is swept',
  async (stage) => {
    const source = await wheelFolder([many], 'many\n');
    const root = await temporaryFolder();
    const store = path.join(root, 'store');
    const victim = linkInChild(path.join(root, 'victim'), store, source);
    victim.child.stdout.on('data', () => {
      if (victim.output().includes(`\n${stage} 0.`)) victim.child.kill('SIGKILL');
    });
    await victim.ended;
    expect(victim.output()).not.toContain('done');
    const manager = new VenvManager({ installer: 'link', wheelStore: store });
    const venv = await manager.create(path.join(root, 'next'), { interpreter });
    expect((await manager.install(venv, source)).installer).toBe('link');
    await manager.verify(venv);
    expect(await readdir(path.join(store, 'building'))).toEqual([]);
  },
);
