import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { record } from '../../src/recording/index.js';
import { activationLog } from '../../src/registry/records.js';
import type { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import type { SupervisorEvents } from '../../src/supervisor/events.js';
import { FramePool } from '../../src/frames/frame-pool.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { dying, mappedTo, next, threeVersions, to } from '../support/three-versions.js';

/** Never over by itself. */
const long = { calls: 1_000_000, durationMs: 3_600_000, maxLatencyRatio: 1_000 };
/** Nor by a few failures. */
const patient = { ...long, maxCrashes: 99, minCalls: 99 };
const quick = { ...long, calls: 3, minCalls: 1 };

function canaryEvents(supervisor: AlgorithmSupervisor): SupervisorEvents['canary'][0][] {
  const events: SupervisorEvents['canary'][0][] = [];
  supervisor.on('canary', (event) => events.push(event));
  return events;
}

describe('a switch with a share', () => {
  test('sends its share to the new version while the mapped one answers the rest, and says which answered', async () => {
    const { supervisor, registry, ask } = await threeVersions();
    await ask();
    const events = canaryEvents(supervisor);
    const told: string[] = [];
    supervisor.on('result', ({ version, result }) => told.push(`${version} ${result.version}`));
    await supervisor.switch({ ...to('2', ['A']), share: 0.25, probation: long });
    expect(events).toEqual([
      {
        name: 'sample',
        version: '2',
        productIds: ['A'],
        from: [{ name: 'sample', version: '1' }],
        share: 0.25,
      },
    ]);
    const answered: string[] = [];
    for (let n = 0; n < 40; n++) answered.push((await ask()).version);
    const young = answered.filter((version) => version === '2').length;
    expect(young).toBeGreaterThanOrEqual(8);
    expect(young).toBeLessThanOrEqual(12);
    expect(told).toEqual(answered.map((version) => `${version} ${version}`));
    for (let n = 0; n < 10; n++) expect((await ask({}, 'B')).version).toBe('1'); // has no canary
    expect(await mappedTo(registry)).toEqual(['1', '1']);
    const { canary, productIds } = supervisor.status().find(({ version }) => version === '2') ?? {};
    expect(productIds).toEqual([]);
    expect(canary).toMatchObject([
      { productIds: ['A'], share: 0.25, steps: [0.5], from: [{ version: '1' }], calls: young, failures: 0 },
    ]);
  });

  test('goes up by its steps, each after a trial of its own, is mapped after the last, and serves for good after one more', async () => {
    const { supervisor, registry, ask } = await threeVersions();
    await ask();
    const events = canaryEvents(supervisor);
    const order = { ...to('2', ['A']), share: 0.2, steps: [0.5, 1], probation: quick, operator: 'anna' };
    await supervisor.switch(order);
    const [switched, accepted] = [next(supervisor, 'switched'), next(supervisor, 'accepted')];
    const seen: [string, number][] = [];
    const state = { isOver: false };
    void accepted.then(() => (state.isOver = true));
    while (!state.isOver) seen.push([(await ask()).version, events.at(-1)?.share ?? 0]);
    expect(events.map(({ share }) => share)).toEqual([0.2, 0.5]);
    expect(await switched).toMatchObject({ version: '2', productIds: ['A'], from: [{ version: '1' }] });
    expect(await mappedTo(registry)).toEqual(['2', '1']);
    expect(seen.filter(([version]) => version === '2').length).toBeGreaterThanOrEqual(9);
    expect(supervisor.status().flatMap(({ canary }) => canary)).toEqual([]);
    await supervisor.close();
    const log = (await readFile(activationLog(registry.layout), 'utf8')).trim().split('\n');
    const lines = log.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ operation }) => operation === 'canary')).toMatchObject([
      { version: '2', pids: ['A'], share: 0.2, operator: 'anna' },
      { share: 0.5 },
    ]);
    expect(lines.at(-1)).toMatchObject({ operation: 'switch', operator: 'anna' });
  });

  test('two product ids have different shares of one version, each with a trial of its own', async () => {
    const { supervisor, registry, ask } = await threeVersions();
    await ask();
    await supervisor.switch({ ...to('2', ['A']), share: 0.2, probation: long });
    await supervisor.switch({ ...to('2', ['B']), share: 0.5, steps: [], probation: quick });
    const counts = { A: 0, B: 0 };
    const switched = next(supervisor, 'switched');
    for (let n = 0; n < 40; n++) if ((await ask({}, 'A')).version === '2') counts.A++;
    for (let n = 0; n < 4; n++) if ((await ask({}, 'B')).version === '2') counts.B++;
    expect(counts.A).toBeGreaterThanOrEqual(7);
    expect(counts.A).toBeLessThanOrEqual(9);
    while ((await mappedTo(registry))[1] !== '2') await ask({}, 'B');
    expect((await switched).productIds).toEqual(['B']);
    expect(supervisor.status().find(({ version }) => version === '2')?.canary).toMatchObject([
      { productIds: ['A'], share: 0.2 },
    ]);
  });

  test('parameters that come with the order hold for its calls alone until it is mapped', async () => {
    const { supervisor, registry, ask } = await threeVersions({ policy: { parameters: 'pass' } });
    await registry.setParams({ productId: 'A', params: { echo: 'old' } });
    await supervisor.switch({ ...to('2', ['A']), share: 0.5, probation: long, params: { echo: 'new' } });
    const seen = new Set<string>();
    for (let n = 0; n < 8; n++) {
      const { version, data } = await ask();
      seen.add(`${version} ${(data.debug as { echo: string }).echo}`);
    }
    expect([...seen].sort()).toEqual(['1 old', '2 new']);
    expect(await registry.params('A')).toEqual({ echo: 'old' });
  });

  test.each([
    ['a share of 0', { share: 0 }, 'share'],
    ['steps that fall', { share: 0.1, steps: [0.5, 0.2] }, 'steps'],
    ['steps from below the share', { share: 0.5, steps: [0.2] }, 'steps'],
    ['steps without a share', { steps: [0.5] }, 'share'],
    ['a product id that no version serves', { share: 0.1, productIds: ['C'] }, 'share'],
  ])('%s is refused, also when it is only asked for', async (_, wrong, path) => {
    const { supervisor, versions } = await threeVersions({ pids: ['A', 'B', 'C'] });
    const order = { name: 'sample', version: '2', productIds: ['A'], ...wrong };
    const refusal = { code: 'invalid_params', details: { path } };
    await expect(supervisor.switch({ ...order, dryRun: true })).rejects.toMatchObject(refusal);
    await expect(supervisor.switch(order)).rejects.toMatchObject(refusal);
    expect(versions()).toEqual([]);
  });

  test('dryRun begins nothing; a share of 1, and ids that the version serves already, are an ordinary switch', async () => {
    const { supervisor, registry, versions, ask } = await threeVersions();
    await supervisor.switch({ ...to('2', ['A']), share: 0.1, dryRun: true });
    expect(versions()).toEqual([]);
    await supervisor.switch({ ...to('2', ['A']), share: 1 });
    expect(await mappedTo(registry)).toEqual(['2', '1']);
    const events = canaryEvents(supervisor);
    await supervisor.switch({ ...to('2', ['A']), share: 0.1 });
    expect((await ask()).version).toBe('2');
    expect(events).toEqual([]);
  });
});

describe('a call that fails at the canary', () => {
  const failures: [string, string, string, object, number?][] = [
    ['dies', dying, 'worker_exited', {}],
    [
      'raises',
      steeredAlgorithm().replace('asked = user_params or {}', 'raise ValueError("no")'),
      'execute_exception',
      {},
    ],
    [
      'breaks the contract',
      steeredAlgorithm().replace('{"result_status": "OK",', '{"result_status": "NG",'),
      'contract_violation',
      {},
    ],
    [
      'hangs',
      steeredAlgorithm().replace('asked = user_params or {}', 'asked = user_params or {}; time.sleep(60)'),
      'timeout',
      { attemptTimeoutMs: 300 },
    ],
  ];
  test.each(failures)(
    'because it %s is answered by the mapped version, once',
    async (_, source, code, policy) => {
      const { supervisor, ask } = await threeVersions({ sources: { 2: source }, policy });
      await ask();
      const fellBack: SupervisorEvents['fellBack'][0][] = [];
      const results: string[] = [];
      supervisor.on('fellBack', (event) => fellBack.push(event));
      supervisor.on('result', ({ result }) => results.push(result.requestId));
      await supervisor.switch({
        ...to('2', ['A']),
        share: 0.9,
        steps: [],
        probation: patient,
      });
      const result = await ask({ echo: 7 });
      expect(result).toMatchObject({
        ...{ status: 'OK', version: '1', attempts: 2, data: { debug: { echo: 7 } } },
        fellBackFrom: { name: 'sample', version: '2', code },
      });
      expect(results).toEqual([result.requestId]);
      expect(fellBack).toMatchObject([
        { version: '2', productId: 'A', requestId: result.requestId, error: { code }, answered: true },
      ]);
      expect(supervisor.status().find(({ version }) => version === '2')?.canary).toMatchObject([
        { calls: 1, failures: 1 },
      ]);
    },
  );

  test('with the very picture, though the caller has released its frame and filled another since', async () => {
    await using frames = new FramePool({ maxBytes: 1 << 20 });
    const { registry, supervisor } = await openSupervised({ frames });
    for (const version of ['1', '2']) {
      await deployVersion(registry, {
        version,
        source: version === '2' ? dying : steeredAlgorithm(),
        productIds: ['A'],
      });
    }
    await registry.activate({ name: 'sample', version: '1', productIds: ['A'] });
    await supervisor.start('sample', '1');
    await supervisor.switch({
      ...to('2', ['A']),
      share: 0.9,
      steps: [],
      probation: patient,
    });
    const frame = await frames.lease({ width: 2, height: 2 });
    frame.pixels.fill(41);
    const answer = supervisor.execute({ productId: 'A', stepIndex: 1, image: frame });
    frame.release();
    const other = await frames.lease({ width: 2, height: 2 });
    other.pixels.fill(99);
    expect(await answer).toMatchObject({ version: '1', data: { debug: { first: [41, 41, 41] } } });
    other.release();
    await supervisor.close();
    const { slots, idle } = await frames.usage();
    expect(idle).toBe(slots);
  });

  test('is in a recording with both attempts, the answered one by its version', async () => {
    const { supervisor, ask } = await threeVersions({ sources: { 2: dying } });
    await ask();
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = await record(supervisor, { directory });
    await supervisor.switch({ ...to('2', ['A']), share: 0.9, steps: [], probation: patient });
    const { requestId } = await ask();
    await recording.stop();
    const files = await readdir(path.join(directory, 'calls'));
    const calls = await Promise.all(
      files.sort().map(async (file) => {
        const text = await readFile(path.join(directory, 'calls', file), 'utf8');
        return JSON.parse(text) as { version: string; request_id: string; error?: unknown; result?: unknown };
      }),
    );
    expect(calls.map(({ version, result }) => [version, result !== undefined]).sort()).toEqual([
      ['1', true],
      ['2', false],
    ]);
    expect(JSON.stringify(calls)).toContain(requestId);
  });

  test('is the failure of its caller where the policy retries nothing', async () => {
    const { supervisor, ask } = await threeVersions({ sources: { 2: dying }, policy: { retries: 0 } });
    await ask();
    await supervisor.switch({
      ...to('2', ['A']),
      share: 0.9,
      steps: [],
      probation: { ...long, maxCrashes: 99 },
    });
    await expect(ask()).rejects.toMatchObject({ code: 'worker_exited' });
  });

  test('takes the share away when the trial is failed: the version is barred, ends, and no call is lost', async () => {
    const { supervisor, registry, ask, versions } = await threeVersions({ sources: { 2: dying } });
    await ask();
    const events = canaryEvents(supervisor);
    const [back, drained] = [next(supervisor, 'switchedBack'), next(supervisor, 'drained')];
    await supervisor.switch({ ...to('2', ['A']), share: 0.5, probation: { ...long, maxCrashes: 2 } });
    const state = { isBack: false };
    void back.then(() => (state.isBack = true));
    while (!state.isBack) expect(await ask()).toMatchObject({ status: 'OK', version: '1' });
    const reason = 'its workers crashed 2 times';
    expect(await back).toMatchObject({ version: '2', productIds: ['A'], to: [{ version: '1' }], reason });
    expect(events.at(-1)).toMatchObject({ share: 0, reason, from: [{ version: '1' }] });
    await drained;
    expect(versions()).toEqual(['1']);
    expect((await registry.active()).A).toMatchObject({ version: '1', barred: [{ version: '2', reason }] });
    expect((await registry.active()).B?.barred).toBeUndefined();
    const again = { ...to('2', ['A']), share: 0.1 };
    await expect(supervisor.switch(again)).rejects.toMatchObject({ code: 'version_barred' });
    await supervisor.switch({ ...again, force: true });
    expect(events.at(-1)).toMatchObject({ share: 0.1 });
  });
});
