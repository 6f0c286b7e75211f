import { existsSync } from 'node:fs';
import path from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { doors as deployDoors } from '../../src/deploy/options.js';
import { doors as bytesDoors } from '../../src/fleet/bytes/options.js';
import { doors as agentDoors } from '../../src/fleet/agent/options.js';
import { doors as frameDoors } from '../../src/frames/options.js';
import {
  AlgorithmSupervisor,
  Deployer,
  doctor,
  explain,
  FramePool,
  openRunner,
  packProject,
  PackageValidator,
  Registry,
  RunnerError,
  VenvManager,
} from '../../src/index.js';
import type { Door } from '../../src/options.js';
import {
  connectFleet,
  exportPackage,
  FleetAgent,
  openFleetAgent,
  fleetPermissions,
  openInspector,
  PackageFetcher,
  serveInspections,
  startFleetServer,
} from '../../src/fleet/index.js';
import { doors as inspectionDoors } from '../../src/fleet/inspections/options.js';
import { doors as serverDoors } from '../../src/fleet/server/fleet-server.js';
import { doors as permissionDoors } from '../../src/fleet/nats/permissions.js';
import { doors as natsDoors } from '../../src/fleet/nats/options.js';
import { doors as packDoors } from '../../src/package/pack.js';
import { doors as pythonDoors } from '../../src/python/options.js';
import { doors as registryDoors } from '../../src/registry/options.js';
import { doors as runnerDoors } from '../../src/runner/options.js';
import { doors as supervisorDoors } from '../../src/supervisor/options.js';
import { FleetController } from '../../src/fleet/controller/controller.js';
import { FleetOperator } from '../../src/fleet/controller/operator.js';
import { doors as fleetDoors } from '../../src/fleet/controller/options.js';
import { deployVersion, versionDoor } from '../../src/testing/deploy-version.js';
import { FakeWorker } from '../../src/testing/index.js';
import { doors as testingDoors } from '../../src/testing/options.js';
import { doors as validationDoors } from '../../src/validation/options.js';
import { record, replay, shadow } from '../../src/recording/index.js';
import { instrument } from '../../src/telemetry/index.js';
import { doors as telemetryDoors } from '../../src/telemetry/options.js';
import { doors as deliveryDoors } from '../../src/outbox/delivery/options.js';
import { deliver, Outbox } from '../../src/outbox/index.js';
import { doors as outboxDoors } from '../../src/outbox/options.js';
import { BucketInMemory, FLEET_KEYS } from '../support/fleet-bucket.js';
import { Machine } from '../fleet/simulator/machine.js';
import { publicKey } from '../fleet/simulator/operator.js';
import { SimServer } from '../fleet/simulator/server.js';
import { World } from '../fleet/simulator/world.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** Values that no option of a rule may take: eleven of each. */
const promise = Promise.resolve('1');
const BAD: Record<string, readonly unknown[]> = {
  whole: [NaN, -1e9, Infinity, -Infinity, 0.5, '1', null, true, [], {}, promise],
  number: [NaN, -1e9, -Infinity, '0.5', null, true, [], {}, promise, () => 1, 10n],
  duration: [NaN, -1, Infinity, -Infinity, 2 ** 31, '1', null, true, [], {}, promise],
  flag: ['true', '', 0, 1, null, NaN, [], {}, promise, () => true, 'no'],
  text: ['', 0, 1, NaN, null, true, [], {}, promise, () => 'x', ['x']],
  strings: ['', 'x', 0, NaN, null, true, {}, [''], [1], [null], promise],
  productIds: ['', 'A', 0, NaN, null, true, {}, [1], [null], [['A']], promise],
  productId: [0, 1, NaN, null, true, [], {}, ['A'], promise, () => 'A', 10n],
  choice: ['ful', '', 0, 1, NaN, null, true, [], {}, promise, ['full']],
  signal: ['', 'x', 0, 1, NaN, null, true, [], {}, promise, new AbortController()],
  instance: ['', 'x', 0, 1, NaN, null, true, [], {}, promise, () => ({})],
  callback: ['', 'x', 0, 1, NaN, null, true, [], {}, promise, new Map()],
  group: ['', 'x', 0, 1, NaN, null, true, [], promise, { noSuchOption: 1 }, () => ({})],
  response: ['', 'x', 0, 1, NaN, null, true, [], [{}], 10n, Symbol('x')],
  policy: ['', 'x', 0, 1, NaN, null, true, [], [{}], 10n, () => ({})],
  mode: [NaN, -1, Infinity, 0.5, 0o1000, '755', null, true, [], {}, promise],
  keys: ['', 'x', 0, 1, NaN, null, true, {}, promise, () => [], 10n],
  values: ['', 'x', 0, 1, NaN, null, true, [], new Uint8Array(2), promise, () => ({})],
  ownFiles: ['', 'x', 0, NaN, null, true, {}, [''], ['a/b'], [null], promise],
  threads: ['', 'all', 0, -1, 1.5, 1_025, NaN, null, true, [], promise],
  devices: ['', '0,1', 0, NaN, null, true, {}, [-1], [1.5], ['0,1'], promise],
  environment: ['', 'x', 0, 1, NaN, null, true, [], { A: 1 }, { A: null }, { A: ['x'] }],
  python: ['', 0, 1, NaN, null, true, {}, [''], [1], promise, () => 'python3'],
  folder: ['', 0, 1, NaN, null, true, [], {}, promise, () => 'x', ['x']],
  image: ['', 'x', 0, 1, NaN, null, true, undefined, 10n, Symbol('x'), () => ({})],
  guideImage: ['', 'x', 'Same', 0, 1, NaN, null, true, 10n, Symbol('x'), () => ({})],
  info: ['', 'x', 0, NaN, null, true, {}, [1], [{}], [{ posList: [{ x: 1 }] }], promise],
  users: ['', 'x', 0, NaN, null, true, {}, [1], [{}], [{ role: 'station', name: 'A', key: 'UA' }], promise],
  plainName: ['', 'a.b', 'a b', '>', 0, NaN, null, true, [], {}, promise],
  record: ['', 'x', 0, 1, NaN, null, true, [], [{}], 10n, () => ({})],
  picture: ['', 0, 1, NaN, null, true, [], 10n, Symbol('x'), () => ({}), ['x.png']],
  activate: ['', 'A', 0, 1, NaN, null, {}, [1], [null], promise, () => true],
  traceparent: ['', 'x', 0, 1, NaN, null, true, [], {}, promise, `ff-${'1'.repeat(32)}-${'1'.repeat(16)}-01`],
  regions: ['', 'x', 0, 1, NaN, null, true, {}, [1], [{ x: 1 }], promise],
  inspected: ['', 'x', 0, 1, NaN, null, true, [], {}, { data: 'x' }, promise],
  pictures: ['', 'x', 0, 1, NaN, null, true, {}, [1], [{ encoded: 'x' }], promise],
  key: ['', 0, 1, NaN, null, true, [], {}, promise, () => 'x', 10n],
  waves: ['', 'x', 0, NaN, null, true, {}, [1], [null], ['east'], promise],
  days: ['', 'x', 0, NaN, null, true, {}, [7], [-1], ['0'], promise],
  unavailable: ['', 'x', '0%', '101%', 0, -1, 1.5, NaN, null, [], promise],
  digest: ['', 'x', '0'.repeat(63), 'A'.repeat(64), 0, NaN, null, true, [], {}, promise],
  window: ['', 'x', 0, NaN, null, true, [], {}, { from: '22:00' }, { from: '25:00', to: '01:00' }, promise],
  share: [NaN, -1, 0, 1.1, Infinity, '0.5', null, true, [], {}, promise],
  steps: [NaN, 0.5, '0.5', null, true, {}, [0], [1.1], [0.5, 0.2], ['0.5'], promise],
  toEightBits: ['', 'Shift', 0, 1, NaN, null, true, [], [0, 255], 10n, () => 'shift'],
};

/** A door, what it takes beside the option that is bad, and how it is called. */
interface Call {
  shape: Record<string, Rule>;
  base: object;
  make: (o: object) => unknown;
}

function on<T extends object>(door: Door<T>, base: object, make: (o: T) => unknown): Call {
  const shape = door.shape as unknown as Record<string, Rule>;
  return {
    shape,
    base,
    make: (o) => make(o as T),
  };
}

/** What an agent works on: the ports of a machine of the simulator. */
function agentParts() {
  const world = new World(1);
  const settings = { plant: 'north', publicKeys: [publicKey] };
  const machine = new Machine('line 1', world, new SimServer(world), new Map(), settings);
  return machine.options();
}

function stationParts() {
  const { plant, station, publicKeys, connection } = agentParts();
  return { plant, station, publicKeys, connection, sources: ['http://plant/'] };
}

async function openAll(): Promise<Record<string, Call>> {
  const root = await temporaryFolder();
  const registry = await Registry.open(root, { durability: 'none' });
  const deployer = new Deployer({ registry });
  const supervisor = new AlgorithmSupervisor({ registry });
  const runner = await openRunner(root, { registry: { durability: 'none' } });
  // Its store is an optional peer, of which a tree that was installed earlier knows nothing.
  const outbox = existsSync(path.join('node_modules', 'classic-level'))
    ? await Outbox.open(await temporaryFolder(), { station: 'ws-1' })
    : undefined;
  const delivery = outbox && (await deliver(outbox, { folder: path.join(root, 'delivered') }));
  const [validator, venvs] = [new PackageValidator(), new VenvManager()];
  onTestFinished(async () => {
    for (const opened of [delivery, outbox, runner, supervisor, deployer, registry]) await opened?.close();
  });
  const line = { servers: ['nats://127.0.0.1:1'], name: 'A' };
  const connection = await connectFleet(line);
  onTestFinished(() => connection.close());
  const inspector = await openInspector(connection, { plant: 'P' });
  const version = { name: 'sample', version: '1' };
  const image = { data: new Uint8Array(3), width: 1, height: 1 };
  const guide = { productId: 'A', stepIndex: 1 };
  const fleet = {
    connection: new BucketInMemory().connect(),
    ...{ plant: 'p', privateKey: FLEET_KEYS.privateKey },
  };
  const operator = new FleetOperator(fleet);
  const rollout = { name: 'a', version: '1', digest: 'd', waves: [{ group: 'g' }] };
  const stationGroup = { group: 'g', stations: ['s'], window: { from: '22:00', to: '05:00' } };
  const fetcher = new PackageFetcher({ registry, sources: [] });
  const wanted = { ...version, digest: '0'.repeat(64) };
  return {
    'new FleetController': on(fleetDoors().controller, fleet, (o) => new FleetController(o)),
    'new FleetOperator': on(fleetDoors().operator, fleet, (o) => new FleetOperator(o)),
    'operator.rollout': on(fleetDoors().rollout, rollout, (o) => operator.rollout(o)),
    'operator.plan': on(fleetDoors().plan, rollout, (o) => operator.plan(o)),
    'operator.plan wave': on(fleetDoors().wave, { group: 'g' }, (o) =>
      operator.plan({ ...rollout, waves: [o] }),
    ),
    'operator.setGroup': on(fleetDoors().setGroup, stationGroup, (o) => operator.setGroup(o)),
    'operator.halt': on(fleetDoors().word, {}, (o) => operator.halt('r', o)),
    'operator.approve': on(fleetDoors().approval, {}, (o) => operator.approve('r', o)),
    'operator.back': on(fleetDoors().word, {}, (o) => operator.back(version, o)),
    'operator.lift': on(fleetDoors().word, {}, (o) => operator.lift(version, o)),
    'operator.rebuild': on(fleetDoors().rebuild, {}, (o) => operator.rebuild(o)),
    'operator.status': on(fleetDoors().look, {}, (o) => operator.status(o)),
    'Registry.open': on(registryDoors().open, {}, (o) => Registry.open(root, o)),
    explain: on(runnerDoors().explain, {}, (o) => explain(new Error('any'), o)),
    doctor: on(runnerDoors().doctor, {}, (o) => doctor(root, o)),
    'runner.explain': on(runnerDoors().doctor, {}, (o) => runner.explain(o)),
    'new FakeWorker': on(testingDoors().fakeWorker, {}, (o) => new FakeWorker(o)),
    'store.deploy': on(versionDoor(), { worker: new FakeWorker() }, (o) => deployVersion(registry, o)),
    'registry.list filter': on(registryDoors().list, {}, (o) => registry.list(o)),
    'registry.list': on(registryDoors().look, {}, (o) => registry.list({}, o)),
    'registry.get': on(registryDoors().look, {}, (o) => registry.get('a', '1', o)),
    'registry.active': on(registryDoors().look, {}, (o) => registry.active(o)),
    'registry.resolve': on(registryDoors().look, {}, (o) => registry.resolve('A', o)),
    'registry.activate': on(registryDoors().activate, { ...version, productIds: ['A'] }, (o) =>
      registry.activate(o),
    ),
    'registry.switch': on(registryDoors().switch, { ...version, productIds: ['A'] }, (o) =>
      registry.switch(o),
    ),
    'registry.configure': on(registryDoors().configure, { ...version, policy: {} }, (o) =>
      registry.configure(o),
    ),
    'registry.deactivate': on(registryDoors().deactivate, { productIds: ['A'] }, (o) =>
      registry.deactivate(o),
    ),
    'registry.rollback': on(registryDoors().rollback, { productId: 'A' }, (o) => registry.rollback(o)),
    'registry.switchBack': on(
      registryDoors().switchBack,
      { productIds: ['A'], from: version, reason: 'slow' },
      (o) => registry.switchBack(o),
    ),
    connectFleet: on(natsDoors().connect, line, (o) => connectFleet(o)),
    fleetPermissions: on(permissionDoors().permissions, { plant: 'P', users: [] }, (o) =>
      fleetPermissions(o),
    ),
    startFleetServer: on(serverDoors().start, { folder: root, binary: 'none' }, (o) => startFleetServer(o)),
    serveInspections: on(inspectionDoors().serve, { plant: 'P', station: 'S', runner }, (o) =>
      serveInspections(connection, o),
    ),
    openInspector: on(inspectionDoors().open, { plant: 'P' }, (o) => openInspector(connection, o)),
    'inspector.inspect': on(inspectionDoors().inspect, {}, (o) =>
      inspector.inspect('A', new Uint8Array(1), o),
    ),
    'connection.create': on(natsDoors().create, {}, (o) => connection.create(o)),
    'registry.setGuide': on(registryDoors().setGuide, { ...guide, image }, (o) => registry.setGuide(o)),
    'registry.guide': on(registryDoors().guide, guide, ({ productId, stepIndex, ...o }) =>
      registry.guide(productId, stepIndex, o),
    ),
    'registry.removeGuide': on(registryDoors().removeGuide, guide, (o) => registry.removeGuide(o)),
    'new Deployer': on(deployDoors().deployer, { registry }, (o) => new Deployer(o)),
    'deployer.scan': on(deployDoors().look, {}, (o) => deployer.scan(o)),
    'deployer.watch': on(deployDoors().watch, {}, (o) => deployer.watch(o)),
    'deployer.install': on(deployDoors().install, {}, (o) => deployer.install('none.zip', o)),
    'deployer.uninstall': on(deployDoors().uninstall, {}, (o) => deployer.uninstall('a', '1', o)),
    'deployer.prune': on(deployDoors().prune, {}, (o) => deployer.prune(o)),
    'deployer.recover': on(deployDoors().recover, {}, (o) => deployer.recover(o)),
    'deployer.restore': on(deployDoors().restore, {}, (o) => deployer.restore('a', '1', o)),
    'deployer.verify': on(deployDoors().look, {}, (o) => deployer.verify('a', '1', o)),
    'new PackageValidator': on(validationDoors().validator, {}, (o) => new PackageValidator(o)),
    'validator.inspect': on(validationDoors().look, {}, (o) => validator.inspect('none.zip', o)),
    'validator.validate': on(validationDoors().look, {}, (o) => validator.validate('none.zip', o)),
    'new VenvManager': on(pythonDoors().venvManager, {}, (o) => new VenvManager(o)),
    'venvs.interpreters': on(pythonDoors().look, {}, (o) => venvs.interpreters(o)),
    'new FramePool': on(frameDoors().framePool, {}, (o) => new FramePool(o)),
    'new AlgorithmSupervisor': on(
      supervisorDoors().supervisor,
      { registry },
      (o) => new AlgorithmSupervisor(o),
    ),
    'Outbox.open': on(outboxDoors().open, { station: 'ws-1' }, (o) =>
      Outbox.open(path.join(root, 'outbox'), o),
    ),
    ...(outbox && {
      'outbox.record': on(outboxDoors().record, { productId: 'A', stepIndex: 1 }, (o) =>
        outbox.record(new RunnerError('unknown', ''), o),
      ),
      deliver: on(deliveryDoors().deliver, { folder: root }, (o) => deliver(outbox, o)),
    }),
    ...(delivery && {
      'delivery.configure': on(deliveryDoors().configure, { folder: root }, (o) => delivery.configure(o)),
      'delivery.retry': on(deliveryDoors().retry, {}, (o) => delivery.retry(o)),
      'delivery.export': on(deliveryDoors().export, {}, (o) => delivery.export(root, o)),
    }),
    openFleetAgent: on(agentDoors().station, stationParts(), (o) => openFleetAgent(runner, o)),
    'FleetAgent.start': on(agentDoors().agent, agentParts(), (o) => FleetAgent.start(o)),
    instrument: on(telemetryDoors().instrument, {}, (o) => instrument({ registry }, o)),
    'new PackageFetcher': on(bytesDoors().fetcher, { registry, sources: [] }, (o) => new PackageFetcher(o)),
    'fetcher.fetch package': on(bytesDoors().wanted, wanted, (o) => fetcher.fetch(o)),
    'fetcher.fetch': on(bytesDoors().fetch, {}, (o) => fetcher.fetch(wanted, o)),
    exportPackage: on(bytesDoors().export, {}, (o) => exportPackage('none.zip', root, o)),
    openRunner: on(runnerDoors().open, {}, (o) => openRunner(root, o)),
    'runner.ensureInstalled': on(runnerDoors().ensure, {}, (o) => runner.ensureInstalled('none.zip', o)),
    'runner.inspect': on(runnerDoors().inspect, {}, (o) => runner.inspect('A', 'none.png', o)),
    'runner.health': on(runnerDoors().look, {}, (o) => runner.health(o)),
    packProject: on(packDoors().pack, {}, (o) => packProject(root, o)),
    'supervisor.start': on(supervisorDoors().start, {}, (o) => supervisor.start('a', '1', o)),
    'supervisor.startActive': on(supervisorDoors().startActive, {}, (o) => supervisor.startActive(o)),
    'supervisor.configure': on(supervisorDoors().configure, {}, (o) => supervisor.configure('a', '1', o)),
    'supervisor.configure by': on(supervisorDoors().configureBy, {}, (o) =>
      supervisor.configure('a', '1', {}, o),
    ),
    'supervisor.scale': on(supervisorDoors().scale, { workers: 1 }, ({ workers, ...o }) =>
      supervisor.scale('a', '1', workers, o),
    ),
    'supervisor.stop': on(supervisorDoors().look, {}, (o) => supervisor.stop('a', '1', o)),
    'supervisor.info': on(supervisorDoors().look, {}, (o) => supervisor.info('a', '1', o)),
    'supervisor.reset': on(supervisorDoors().session, { id: 's' }, (o) => supervisor.reset(o)),
    'supervisor.execute': on(supervisorDoors().look, {}, (o) => supervisor.execute({} as never, o)),
    'supervisor.switch': on(supervisorDoors().switch, { ...version, productIds: ['A'] }, (o) =>
      supervisor.switch(o),
    ),
    'supervisor.rollback': on(supervisorDoors().rollback, { productId: 'A' }, (o) => supervisor.rollback(o)),
    'supervisor.shadow': on(supervisorDoors().shadow, version, (o) => shadow(supervisor, o)),
    'supervisor.record': on(supervisorDoors().record, { directory: root }, (o) => record(supervisor, o)),
    'supervisor.replay': on(supervisorDoors().replay, { ...version, directory: root }, (o) =>
      replay(supervisor, o),
    ),
  };
}

interface Rule {
  rule: string;
  shape?: Record<string, Rule>;
}

/** Each option of a door with its path, those of groups included. */
function optionsOf(
  shape: Record<string, Rule>,
  path: readonly string[] = [],
): [path: string[], rule: Rule][] {
  return Object.entries(shape).flatMap(([key, rule]) => {
    const here = [...path, key];
    return [[here, rule] as [string[], Rule], ...(rule.shape ? optionsOf(rule.shape, here) : [])];
  });
}

/** `{ a: { b: value } }` for the path a, b. */
function nested(path: readonly string[], value: unknown): object {
  return path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as object;
}

async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('every option of every door', () => {
  test('refuses eleven bad values each, and an unknown name, by its path', async () => {
    let count = 0;
    for (const [what, { shape, base, make }] of Object.entries(await openAll())) {
      for (const [path, { rule }] of optionsOf(shape)) {
        const bad = BAD[rule];
        if (!bad) throw new Error(`${what}: no bad values are known for the rule ${rule}`);
        expect(bad).toHaveLength(11);
        for (const value of bad) {
          if (value === undefined) continue; // of an option that may be left out that is no value
          const failure = await failureOf(() => make({ ...base, ...nested(path, value) }));
          const said = `${what} ${path.join('.')} = ${inspect(value)}`;
          expect(failure, said).toMatchObject({ name: 'RunnerError', code: 'invalid_params' });
          expect((failure as { details: { path: string } }).details.path, said).toContain(path[0]);
          count++;
        }
      }
      const unknown = await failureOf(() => make({ ...base, sginal: 1 }));
      expect(unknown, what).toMatchObject({ code: 'invalid_params', details: { path: 'sginal' } });
    }
    expect(count).toBeGreaterThan(1_000);
  });

  test('a mistyped name is answered with the nearest one', async () => {
    const registry = await Registry.open(await temporaryFolder(), { durability: 'none' });
    onTestFinished(() => registry.close());
    const policy: object = { excuteTimeoutMs: 5 };
    expect(() => new AlgorithmSupervisor({ registry, policy })).toThrow(/Did you mean executeTimeoutMs\?/);
  });

  test('a registry that was not awaited is named as that', () => {
    const registry = Promise.resolve() as never;
    expect(() => new Deployer({ registry })).toThrow(/registry .*not a Promise: is an await missing\?/);
  });
});
