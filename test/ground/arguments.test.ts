import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AlgorithmSupervisor, Deployer, PackageValidator, Registry, VenvManager } from '../../src/index.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** The same objects without their types, as plain JavaScript has them. */
type Untyped = Record<string, (...given: unknown[]) => Promise<unknown>>;

async function open(): Promise<Record<string, Untyped>> {
  const registry = await Registry.open(await temporaryFolder(), { durability: 'none' });
  const deployer = new Deployer({ registry });
  const supervisor = new AlgorithmSupervisor({ registry });
  onTestFinished(async () => {
    for (const opened of [supervisor, deployer, registry]) await opened.close();
  });
  const [validator, venvs] = [new PackageValidator(), new VenvManager()];
  return { registry, deployer, supervisor, validator, venvs, Registry } as unknown as Record<string, Untyped>;
}

const wrong = { name: 'sample', version: '1' };

describe('an argument of the wrong type', () => {
  test.each<[call: string, given: unknown[], fault: string]>([
    ['Registry.open(root)', [], 'root must be a string, not undefined'],
    ['Registry.open(root)', [{}], 'root must be a string, not an object'],
    ['registry.get(name, version)', [wrong], 'name must be a string, not an object'],
    [
      'registry.activate({ name, version, productIds })',
      ['sample', '1', ['A']],
      "its argument must be an object, not 'sample'",
    ],
    ['registry.switch({ name, version, productIds })', [{ name: 'sample' }], 'version must be given'],
    ['registry.deactivate({ productIds })', [], 'its argument must be an object, not undefined'],
    ['registry.deactivate({ productIds })', [['A']], 'its argument must be an object, not a list'],
    ['registry.rollback({ productId })', [{}], 'productId must be given'],
    ['registry.resolve(productId)', [7], 'productId must be a string, not a number'],
    ['registry.use(name, version)', ['sample', 1], 'version must be a string, not a number'],
    ['registry.users(name, version)', [null], 'name must be a string, not null'],
    ['deployer.install(zip)', [{ path: 'a.zip' }], 'zip must be a string, not an object'],
    ['deployer.uninstall(name, version)', [wrong], 'name must be a string, not an object'],
    ['deployer.verify(name, version)', ['sample'], 'version must be a string, not undefined'],
    ['supervisor.start(name, version)', [wrong], 'name must be a string, not an object'],
    ['supervisor.stop(name, version)', [['sample', '1']], 'name must be a string, not a list'],
    ['supervisor.info(name, version)', [], 'name must be a string, not undefined'],
    ['supervisor.reset({ id })', ['s1'], "its argument must be an object, not 's1'"],
    ['supervisor.switch({ name, version, productIds })', [], 'its argument must be an object, not undefined'],
    ['supervisor.rollback({ productId })', [{}], 'productId must be given'],
    ['supervisor.shadow({ name, version })', [{}], 'name must be given'],
    ['supervisor.record({ directory })', [{}], 'directory must be given'],
    ['supervisor.replay({ directory, name, version })', [{ directory: 'x' }], 'name must be given'],
    ['supervisor.resetCircuit(name, version)', [], 'name must be a string, not undefined'],
    ['validator.inspect(zip)', [{}], 'zip must be a string, not an object'],
    ['validator.validate(target)', [], 'target must be a string, not undefined'],
    ['venvs.select(need)', [], 'its argument must be an object, not undefined'],
    ['venvs.create(dir, { interpreter })', ['x', {}], 'interpreter must be an object, not undefined'],
    ['venvs.load(dir)', [], 'dir must be a string, not undefined'],
    ['venvs.install(venv, { wheels, requirements })', ['x'], 'venv must be an object, not a string'],
  ])('of %s, given %j, is named', async (call, given, fault) => {
    const [, object = '', method = ''] = /^(\w+)\.(\w+)/.exec(call) ?? [];
    const objects = await open();
    await expect(objects[object]?.[method]?.(...given)).rejects.toMatchObject({
      ...{ name: 'RunnerError', code: 'invalid_params', message: `${call}: ${fault}` },
    });
  });
});

test('a stream of another library, which is no instance of Node’s class, is a package all the same', async () => {
  const stream = Readable.from(['no zip']);
  const foreign = new Proxy(stream, { getPrototypeOf: () => Object.prototype });
  onTestFinished(() => void stream.destroy());
  expect(foreign).not.toBeInstanceOf(Readable);
  const { deployer } = await open();
  await expect(deployer?.install?.(foreign)).rejects.toMatchObject({ code: 'invalid_zip' });
});
