import { chmod, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { VenvManager } from '../../src/index.js';
import { Examinations } from '../../src/http/operations/examinations.js';
import { openHttpRunner } from '../support/http-runner.js';
import { inJson } from '../support/platform.js';

interface Told {
  id: string;
  what: string;
  fix?: { what: string };
}

interface Report {
  fixed: Told[];
  failed: (Told & { error: { code: string } })[];
  findings: Told[];
}

const idsOf = (findings: readonly Told[]) => findings.map(({ id }) => id);
const OPEN = 'store.writable-by-others';

describe.skipIf(process.platform === 'win32')('a store that others may write to', () => {
  const opened = async () => {
    const runner = await openHttpRunner();
    await chmod(runner.root, 0o777);
    const found = (await (await runner.ask('GET', '/doctor')).json()) as Told[];
    const [finding] = found.filter(({ id }) => id === OPEN);
    if (!finding) throw new Error(`${OPEN} is not found`);
    return { ...runner, finding };
  };

  test('is put right by its finding, recorded with who asked for it, and not found again', async () => {
    const { ask, finding, root, registry } = await opened();
    const { id, what } = finding;
    const answer = await ask('POST', '/doctor/fix?operator=eve', { json: { id, what } });
    expect(answer.status).toBe(200);
    const report = (await answer.json()) as Report;
    expect(report.fixed).toMatchObject([{ id, what }]);
    expect(report.failed).toEqual([]);
    expect(idsOf(report.findings)).not.toContain(OPEN);
    expect((await stat(root)).mode & 0o022).toBe(0);
    expect(JSON.stringify(report)).not.toContain(inJson(root));
    const log = await readFile(path.join(registry.layout.logs, 'package_install.log'), 'utf8');
    expect(
      log
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
    ).toContainEqual(
      expect.objectContaining({ operation: 'fix', finding: OPEN, outcome: 'ok', operator: 'eve' }),
    );
    const again = await ask('POST', '/doctor/fix', { json: { id } });
    expect([again.status, await again.json()]).toMatchObject([404, { code: 'not_found' }]);
  });

  test('is put right with all that can be, and left alone by a fix of something else', async () => {
    const { ask, root } = await opened();
    const other = await ask('POST', '/doctor/fix', { json: { id: OPEN, what: 'something else' } });
    expect(other.status).toBe(404);
    expect((await stat(root)).mode & 0o022).toBe(0o022);
    const report = (await (await ask('POST', '/doctor/fix')).json()) as Report;
    expect(idsOf(report.fixed)).toContain(OPEN);
  });

  test('is told with its failure where the fix does not work, and the others are made all the same', async () => {
    const runner = await opened();
    const tried: string[] = [];
    const report = await new Examinations().fix(
      runner,
      {},
      {
        isMeant: () => true,
        apply: (finding) => {
          tried.push(finding.id);
          return finding.id === OPEN ? Promise.reject(new Error('not permitted')) : Promise.resolve();
        },
      },
    );
    expect(tried).toContain(OPEN);
    expect(report.failed).toMatchObject([{ finding: { id: OPEN }, error: { message: 'not permitted' } }]);
    expect(idsOf(report.findings)).toContain(OPEN);
  });
});

test('a fix of half a version, or with a name that is none, is refused', async () => {
  const { ask } = await openHttpRunner();
  expect((await ask('POST', '/doctor/fix?name=a')).status).toBe(400);
  expect((await ask('POST', '/doctor/fix', { json: { ids: ['a'] } })).status).toBe(400);
  const shut = await openHttpRunner({ authorize: (_request, action) => action !== 'fix' });
  expect((await shut.ask('POST', '/doctor/fix')).status).toBe(403);
});

test('the doctor asks the Pythons that the host names, not those of the machine', async () => {
  const { ask } = await openHttpRunner({ venvs: new VenvManager({ python: '/no/such/python3' }) });
  const found = (await (await ask('GET', '/doctor')).json()) as Told[];
  expect(found.find(({ id }) => id === 'python.none')?.what).toContain('None of …/python3');
});
