import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { AlgorithmSupervisor } from '../../src/index.js';
import { createRunnerHandler } from '../../src/http/index.js';
import { PackageValidator } from '../../src/index.js';
import { TemporaryStore } from '../../src/testing/index.js';
import { listenWith } from '../support/http-runner.js';
import { pythonWith } from '../support/python-packages.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** Seconds of generated requests: fuzzing and stateful go on until they are over. */
const SECONDS = Number(process.env.SCHEMATHESIS_SECONDS ?? 90);
/** The package that the document speaks of in its examples. */
const EXAMPLE = { name: 'board-check', version: '1.0.0' };
const TOKEN = 'a-token-of-the-test';

const python = await pythonWith('schemathesis', ['schemathesis==4.32.5']);

/**
 * Left out are requests that fit the document and are refused for a rule that no schema has: a step that the version does not
 * declare, a query and a body that disagree. A refusal may also be 408, 413 or 501.
 */
const CONFIG = `
[checks]
negative_data_rejection.expected-statuses = ["4xx", "501"]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "501", "502", "503", "504"]
missing_required_header.expected-statuses = ["4xx"]
`;

/** What a policy takes: something else is to be refused by the library. */
const isUpTo = (most: number) => (value: unknown) =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most;
const isWorkers = (value: unknown) => value !== 0 && isUpTo(1_024)(value);
const LEFT_OUT = {
  ...{ workers: isWorkers, warmSpares: isUpTo(1_024) },
  ...{ uid: isUpTo(0xffff_fffe), gid: isUpTo(0xffff_fffe) },
};

/** Bounded: each worker that a generated request asks for is a process. */
function bounded(supervisor: AlgorithmSupervisor): AlgorithmSupervisor {
  const start = supervisor.start.bind(supervisor);
  const configure = supervisor.configure.bind(supervisor);
  return Object.assign(supervisor, {
    start: (name: string, version: string, o: { workers?: number } = {}) =>
      start(name, version, { ...o, ...(o.workers !== undefined && { workers: 1 }) }),
    configure: async (...[name, version, policy, o]: Parameters<typeof configure>) => {
      const kept = Object.entries(policy).filter(
        ([key, value]) =>
          !(LEFT_OUT as Record<string, ((value: unknown) => boolean) | undefined>)[key]?.(value),
      );
      await configure(name, version, Object.fromEntries(kept), o);
    },
  });
}

test.skipIf(python === undefined)(
  `schemathesis finds no answer that the document does not have, with 1,000 examples, stateful${python === undefined ? ' (skipped: there is no package index here)' : ''}`,
  async () => {
    await using store = await TemporaryStore.open();
    const { registry } = store;
    for (const version of ['1.0.0', '1.1.0'])
      await store.deploy({ ...EXAMPLE, version, productIds: ['BOARD-7'] });
    await registry.activate({ ...EXAMPLE, productIds: ['BOARD-7'] });
    const supervisor = bounded(store.supervise());
    await supervisor.start(EXAMPLE.name, EXAMPLE.version);
    const unforeseen: unknown[] = [];
    const port = await listenWith(
      createRunnerHandler({
        ...{ registry, supervisor, deployer: store.deployer(), validator: new PackageValidator() },
        authorize: ({ headers }) =>
          headers.get('authorization') === `Bearer ${TOKEN}` || { allowed: false, status: 401 },
        onError: (error) => {
          if (!(error instanceof Error) || (error as { code?: unknown }).code === 'internal')
            unforeseen.push(error);
          else if (!('code' in error)) unforeseen.push(error);
        },
      }),
    );
    const folder = await temporaryFolder();
    const config = path.join(folder, 'schemathesis.toml');
    await writeFile(config, CONFIG);
    const args = ['--config-file', config, 'run', `http://127.0.0.1:${port}/openapi.json`];
    // The stream of events has no end, which is another test's matter.
    args.push('--phases', 'examples,coverage,fuzzing,stateful', '--exclude-path', '/events');
    args.push('--max-examples', '1000', '--max-time', String(SECONDS), '--workers', '1');
    args.push(
      '--header',
      `Authorization: Bearer ${TOKEN}`,
      '--checks',
      'all',
      '--exclude-checks',
      'positive_data_acceptance',
      '--continue-on-failure',
    );
    // A new seed each time, unless one is given: the run prints it.
    if (process.env.SCHEMATHESIS_SEED !== undefined) args.push('--seed', process.env.SCHEMATHESIS_SEED);
    args.push('--warnings', 'off', '--generation-database', 'none', '--request-timeout', '60', '--no-color');
    const program = path.join(path.dirname(python ?? ''), 'schemathesis');
    const found = await promisify(execFile)(program, args, { cwd: folder, maxBuffer: 2 ** 26 }).then(
      ({ stdout }) => ({ stdout, faults: 'none' }),
      (error: unknown) => {
        const { stdout, stderr } = error as { stdout: string; stderr: string };
        return { stdout, faults: stdout + stderr };
      },
    );
    if (process.env.SCHEMATHESIS_LOG !== undefined)
      await writeFile(process.env.SCHEMATHESIS_LOG, found.stdout);
    expect(found.faults).toBe('none');
    expect(unforeseen).toEqual([]);
    const [, cases = '0'] = /(\d+) generated/.exec(found.stdout) ?? [];
    expect(Number(cases)).toBeGreaterThanOrEqual(1_000);
  },
);
