import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import { appendAudit, audited } from '../../src/store/audit-log.js';
import { IS_WINE } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

const record = (n: number) => ({
  timestamp_ms: n,
  operation: 'activate',
  outcome: 'ok' as const,
  duration_ms: 1,
});

async function records(file: string): Promise<{ timestamp_ms: number }[]> {
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as { timestamp_ms: number });
}

test('appends one JSON object a line, from many at once in the order of their calls', async () => {
  const file = path.join(await temporaryFolder(), 'logs', 'a.log');
  await Promise.all(Array.from({ length: 50 }, (_, n) => appendAudit(file, record(n))));
  const times = (await records(file)).map(({ timestamp_ms }) => timestamp_ms);
  expect(times).toEqual(Array.from({ length: 50 }, (_, n) => n));
});

test('a log past its size moves up by one number, the oldest of six goes, and many at once lose no record', async () => {
  const folder = await temporaryFolder();
  const file = path.join(folder, 'a.log');
  for (let n = 0; n < 20; n++) await appendAudit(file, record(n), 200);
  const files = (await readdir(folder)).sort();
  expect(files).toEqual(['a.log', 'a.log.1', 'a.log.2', 'a.log.3', 'a.log.4', 'a.log.5']);
  expect((await records(file)).at(-1)).toMatchObject({ timestamp_ms: 19 });
  const before = (await records(`${file}.1`)).at(-1)?.timestamp_ms ?? 0;
  expect((await records(file))[0]?.timestamp_ms).toBe(before + 1);

  if (IS_WINE) return; // two of its appends may write to the same place
  const other = path.join(folder, 'b.log');
  await Promise.all(Array.from({ length: 12 }, (_, n) => appendAudit(other, record(n), 400)));
  const kept = (await readdir(folder)).filter((name) => name.startsWith('b.log'));
  const all = await Promise.all(kept.map((name) => records(path.join(folder, name))));
  expect(all.flat()).toHaveLength(12);
});

test('a line that was cut off costs itself alone', async () => {
  const file = path.join(await temporaryFolder(), 'a.log');
  await writeFile(file, '{"timestamp_ms": 1}\n{"timesta');
  await appendAudit(file, record(2));
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  expect(lines).toHaveLength(3);
  expect(JSON.parse(lines[2] ?? '')).toMatchObject({ timestamp_ms: 2 });
});

test('a failed operation is recorded with its code, and fails as it did', async () => {
  const file = path.join(await temporaryFolder(), 'a.log');
  const failure = new RunnerError('not_found', 'no');
  await expect(
    audited(file, { operation: 'activate', operator: 'eve' }, () => Promise.reject(failure)),
  ).rejects.toBe(failure);
  expect(await records(file)).toMatchObject([{ operator: 'eve', outcome: 'failed', code: 'not_found' }]);
});

test('a log that cannot be written does not fail the operation', async () => {
  const folder = await temporaryFolder();
  await writeFile(path.join(folder, 'logs'), 'a file where the folder should be');
  const answer = await audited(path.join(folder, 'logs', 'a.log'), { operation: 'x' }, () =>
    Promise.resolve(7),
  );
  expect(answer).toBe(7);
});
