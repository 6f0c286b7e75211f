import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { AlgorithmWorker, FramePool, PackageValidator, RunnerError, VenvManager } from '../../src/index.js';
import { openStation } from '../support/station.js';
import { record, shadow as beginShadow } from '../../src/recording/index.js';
import { openArchive } from '../../src/signing/index.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** As the REPL shows it, without colours. */
const shown = (value: unknown, depth = 2) => inspect(value, { depth, breakLength: 100 });

/** The same on one line. */
const line = (value: unknown) => shown(value).replace(/\s+/g, ' ');

describe('util.inspect shows what an object is, and nothing of how it is made', () => {
  test('the objects of a station, from before the first package to after close', async () => {
    const { registry, deployer, supervisor, deliver, root } = await openStation();
    const zip = await deliver();
    await deployer.install(zip);
    await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
    expect(line(registry)).toBe(
      `Registry { root: ${inspect(root)}, versions: [ 'sample 1.0.0' ], active: { A01: 'sample 1.0.0' }, closed: false }`,
    );
    expect(line(deployer)).toBe(
      `Deployer { root: ${inspect(root)}, running: 0, watching: 0, keep: 3, closed: false }`,
    );
    expect(shown(registry.layout)).toContain(`root: ${inspect(root)}`);
    expect(shown(registry.layout)).toContain('registry.json');
    expect(shown(supervisor)).toContain('deployments: []');
    const use = await registry.use('sample', '1.0.0');
    expect(shown(use)).toBe("VersionUse { name: 'sample', version: '1.0.0', released: false }");
    await use.release();
    await using archive = await openArchive(zip);
    expect(line(archive)).toMatch(
      /^Archive \{ path: '.*zip', sizeBytes: \d+, unpackedBytes: \d+, entries: \d+, closed: false \}$/,
    );

    await supervisor.start('sample', '1.0.0');
    expect(line(supervisor)).toMatch(
      /deployments: \[ sample 1.0.0: running, 1 worker \(\d+\), 0 in flight, 0 queued, 0 calls \], closed: false/,
    );
    const shadow = await beginShadow(supervisor, { name: 'sample', version: '1.0.0' });
    expect(shown(shadow)).toContain('0 of 0 calls agree');
    await shadow.stop();
    const recording = await record(supervisor, { directory: `${root}/recording` });
    expect(shown(recording)).toContain('calls: 0');
    await recording.stop();
    await supervisor.close();
    expect(shown(supervisor)).toContain('closed: true');
  });

  test('a validator, a manager of environments, an interpreter and a report', async () => {
    const venvs = new VenvManager();
    expect(line(venvs)).toBe(
      "VenvManager { installer: 'pip', python: 'as found on this machine', timeoutMs: 600000 }",
    );
    const validator = new PackageValidator({ venvs, smoke: false });
    expect(line(validator)).toMatch(
      /^PackageValidator \{ smoke: false, stepTimeoutMs: 30000, .*integrity: 'off' \}$/,
    );
    const [interpreter] = await venvs.interpreters();
    expect(shown(interpreter)).toMatch(/tags: \d+, cp\S+ before all others\s+\}$/);
    expect(shown(interpreter).split('\n').length).toBeLessThan(10);
    const report = await validator.validate(`${await temporaryFolder()}/none.zip`);
    expect(shown(report)).toMatch(
      /^none\.zip: FAIL \(0 passed, 1 failed, \d+ skipped\)\n[^]*\n {2}FAIL {2}zip_open /,
    );
    expect(shown({ report }, 0)).toBe('{ report: [ValidationReport] }');
  });

  test('a pool and a frame, without a pixel', async () => {
    const pool = new FramePool({ maxBytes: 1e6, directory: await temporaryFolder() });
    expect(shown(pool)).toBe("FramePool { state: 'not opened yet', maxBytes: 1000000 }");
    const frame = await pool.lease({ width: 4, height: 2, timestampMs: 0, cameraId: 'top' });
    expect(line(pool)).toMatch(
      /^FramePool \{ state: 'open', folder: '.*', maxBytes: 1000000, slots: 1, idle: 0, bytes: \d+, mapped: \w+ \}$/,
    );
    expect(line(frame)).toBe(
      "Frame { id: 'f1', state: 'leased', size: '4 x 2 x 3', colorSpace: 'RGB', cameraId: 'top', taken: '1970-01-01T00:00:00.000Z' }",
    );
    frame.release();
    expect(shown(frame)).toContain("state: 'released'");
    await pool.close();
    expect(shown(pool)).toContain("state: 'closed'");
  });

  test('a worker that was not started', () => {
    const worker = new AlgorithmWorker({
      ...{ name: 'a', version: '1', root: '/r', python: '/p', entryPoint: 'm:C', frameDirectory: '/f' },
    });
    expect(line(worker)).toBe(
      "AlgorithmWorker { name: 'a', version: '1', state: 'new', entryPoint: 'm:C', root: '/r', flavour: 'sdk' }",
    );
  });

  test('a failure: code, message, where, facts, and a traceback line by line', () => {
    const error = new RunnerError('install_failed', 'it did not work', {
      details: {
        stage: 'smoke',
        traceback: 'Traceback:\n  File "x"\nValueError: y\n',
        output: ['one', 'two'],
      },
      cause: new RunnerError('lock_timeout', 'held', { details: { path: 'lock', timeoutMs: 5 } }),
    });
    const lines = shown(error).split('\n');
    expect(lines[0]).toBe('RunnerError [install_failed 2005]: it did not work');
    expect(lines[1]).toMatch(/^ {4}at .*readable\.test\.ts/);
    const text = lines.filter((line) => !/^\s+at /.test(line)).join('\n');
    expect(text).toContain("  details: { stage: 'smoke' }");
    expect(text).toContain('  output:\n    one\n    two');
    expect(text).toContain('  traceback:\n    Traceback:\n      File "x"\n    ValueError: y');
    expect(text).toContain('  cause: RunnerError [lock_timeout]: held');
    expect(text).toContain('may succeed if tried again');
    expect(shown({ a: { error } }, 0)).not.toContain('  at ');
  });
});

test('what it is shown by is no part of the data: not a key, not in JSON, not in a copy', async () => {
  const report = await new PackageValidator().validate(`${await temporaryFolder()}/none.zip`);
  expect(Object.keys(report)).toEqual(['summary', 'checks', 'error']);
  expect(Object.getOwnPropertySymbols({ ...report })).toEqual([]);
});
