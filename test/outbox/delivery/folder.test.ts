import { randomBytes } from 'node:crypto';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { FolderTarget } from '../../../src/outbox/delivery/targets/folder.js';
import { attempt, outgoing, picture, verdict } from '../../support/outbox/samples.js';
import { temporaryFolder } from '../../support/temp-folder.js';

async function filesIn(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found
    .filter((one) => one.isFile())
    .map((one) => path.relative(folder, path.join(one.parentPath, one.name)).split(path.sep).join('/'));
}

test('a batch is a file of JSON lines, replaced when it is sent again', async () => {
  const root = await temporaryFolder();
  const target = new FolderTarget(root);
  const batch = [1, 2, 3].map((number) => outgoing(verdict(number)));
  await target.sendRecords(batch.slice(0, 1), attempt());
  expect(await target.sendRecords(batch, attempt())).toEqual({ state: 'taken' });
  const [file = '', ...others] = await filesIn(root);
  expect(others).toEqual([]);
  expect(file).toMatch(/^records\/ws-1\/s-1_1_1700000000001-[0-9a-f]{12}\.jsonl$/);
  const lines = (await readFile(path.join(root, file), 'utf8')).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([1, 2, 3].map((n) => verdict(n)));
});

test('a picture is a file, and what it is another one', async () => {
  const root = await temporaryFolder();
  const bytes = randomBytes(700_000);
  const sent = picture(bytes);
  expect(await new FolderTarget(root).sendPicture(sent, attempt())).toEqual({ state: 'taken' });
  const [index = '', file = ''] = (await filesIn(root)).sort();
  expect(await readFile(path.join(root, file))).toEqual(bytes);
  expect(JSON.parse(await readFile(path.join(root, index), 'utf8'))).toEqual({
    ...sent.artifact,
    ...{ file, sha256: sent.sha256, is_thumbnail: false },
  });
});

test('ids that are paths stay within the folder', async () => {
  const root = path.join(await temporaryFolder(), 'inner');
  const target = new FolderTarget(root);
  const evil = { ...verdict(1), ingest_id: '../../etc/cron.d/x' };
  expect(await target.sendRecords([outgoing(evil)], attempt())).toEqual({ state: 'taken' });
  const sent = picture(randomBytes(10), { artifact_id: '../../../CON' });
  expect(await target.sendPicture(sent, attempt())).toEqual({ state: 'taken' });
  expect(await readdir(path.dirname(root))).toEqual(['inner']);
  expect(await filesIn(root)).toHaveLength(3);
});

test('an attempt that was left behind and goes on late does not replace what a later one has written', async () => {
  const root = await temporaryFolder();
  const target = new FolderTarget(root);
  const batch = [1, 2, 3].map((number) => outgoing(verdict(number)));
  const ended = new AbortController();
  const late = target.sendRecords(batch.slice(0, 1), {
    signal: ended.signal,
    pace: async () => {
      await target.sendRecords(batch, attempt());
      ended.abort();
    },
  });
  expect(await late).toMatchObject({ state: 'failed' });
  const [file = '', ...others] = await filesIn(root);
  expect(others).toEqual([]);
  expect((await readFile(path.join(root, file), 'utf8')).trimEnd().split('\n')).toHaveLength(3);
});

test('a picture that cannot be read to its end leaves nothing', async () => {
  const root = await temporaryFolder();
  const broken = {
    ...picture(randomBytes(10)),
    open: () =>
      Readable.from(
        (function* () {
          yield randomBytes(5);
          throw new Error('the disk of the station');
        })(),
      ),
  };
  const outcome = await new FolderTarget(root).sendPicture(broken, attempt());
  expect(outcome).toMatchObject({ state: 'failed', reason: /the disk of the station/ as never });
  expect(await filesIn(root)).toEqual([]);
});

test.skipIf(process.platform === 'win32' || process.getuid?.() === 0)(
  'a folder that may not be written is a failure that names it (not as root, who may)',
  async () => {
    const root = await temporaryFolder();
    await chmod(root, 0o500);
    const outcome = await new FolderTarget(root).sendRecords([outgoing(verdict(1))], attempt());
    expect(outcome).toMatchObject({ state: 'failed', cause: 'credentials' });
  },
);

test('a file in the way of the folder is a failure, not a refusal', async () => {
  const root = path.join(await temporaryFolder(), 'stick');
  await writeFile(root, 'no folder');
  const outcome = await new FolderTarget(root).sendRecords([outgoing(verdict(1))], attempt());
  expect(outcome).toMatchObject({ state: 'failed', reason: expect.stringContaining(root) as string });
});
