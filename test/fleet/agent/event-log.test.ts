import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { AgentDisk } from '../../../src/fleet/index.js';
import { temporaryFolder } from '../../support/temp-folder.js';

function opened(folder: string): AgentDisk {
  const disk = new AgentDisk(folder, 'none');
  onTestFinished(() => disk.close());
  return disk;
}

async function logged(folder: string, count: number): Promise<AgentDisk> {
  const disk = opened(folder);
  for (let index = 1; index <= count; index += 1)
    expect(await disk.append({ index, text: '板\n' })).toBe(index);
  return disk;
}

const indexes = async (disk: AgentDisk, after = 0, limit = 100_000) =>
  (await disk.eventsAfter(after, limit)).map(({ offset, event }) => [
    offset,
    (event as { index: number }).index,
  ]);

test('events are read back from an offset, at most as many as asked for, by the next process too', async () => {
  const folder = await temporaryFolder();
  const disk = await logged(folder, 5);
  expect(await indexes(disk, 2, 2)).toEqual([
    [3, 3],
    [4, 4],
  ]);
  await disk.close();
  const next = opened(folder);
  expect(await indexes(next, 3)).toEqual([
    [4, 4],
    [5, 5],
  ]);
  expect(await next.append({ index: 6 })).toBe(6);
});

test('a last line that was cut off at any byte is given anew, and nothing before it is lost', async () => {
  const folder = await temporaryFolder();
  await (await logged(folder, 3)).close();
  const file = path.join(folder, 'events-1.log');
  const whole = await readFile(file);
  const end = whole.lastIndexOf(0x0a, whole.length - 2) + 1;
  for (let length = end; length < whole.length; length += 1) {
    await writeFile(file, whole.subarray(0, length));
    const disk = opened(folder);
    expect(await indexes(disk)).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(await disk.append({ index: 30 })).toBe(3);
    expect(await indexes(disk)).toEqual([
      [1, 1],
      [2, 2],
      [3, 30],
    ]);
    await disk.close();
  }
});

test('a damaged line in the middle costs its own event alone', async () => {
  const folder = await temporaryFolder();
  await (await logged(folder, 3)).close();
  const file = path.join(folder, 'events-1.log');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('"index":2', '"index":7'));
  const disk = opened(folder);
  expect(await indexes(disk)).toEqual([
    [1, 1],
    [3, 3],
  ]);
  expect(await disk.append({ index: 4 })).toBe(4);
});

test('events that were forgotten take no room, and the next offset stays', async () => {
  const folder = await temporaryFolder();
  const disk = opened(folder);
  const text = 'x'.repeat(50_000);
  for (let index = 1; index <= 20; index += 1) await disk.append({ index, text });
  expect((await readdir(folder)).length).toBeGreaterThan(3);
  await disk.forget(20);
  expect(await readdir(folder)).toHaveLength(1);
  await disk.close();
  expect(await opened(folder).append({ index: 21 })).toBe(21);
});

test('a log that began anew goes on after the offsets of the stream, once', async () => {
  const folder = await temporaryFolder();
  const disk = await logged(folder, 3);
  await disk.renumber(40);
  await disk.renumber(40);
  expect(await indexes(disk)).toEqual([
    [41, 1],
    [42, 2],
    [43, 3],
  ]);
  expect(await disk.append({ index: 4 })).toBe(44);
  await disk.close();
  expect(await indexes(opened(folder))).toEqual([
    [41, 1],
    [42, 2],
    [43, 3],
    [44, 4],
  ]);
  const empty = opened(await temporaryFolder());
  await empty.renumber(7);
  expect(await empty.append({ index: 1 })).toBe(8);
});

test('a process that ended while it renumbered goes on with the new offsets', async () => {
  const folder = await temporaryFolder();
  const disk = await logged(folder, 2);
  await disk.close();
  const text = await readFile(path.join(folder, 'events-1.log'), 'utf8');
  await disk.renumber(10);
  await disk.close();
  // The new log was whole, and the old one was not removed yet.
  const made = path.join(folder, 'events-11.log');
  await writeFile(path.join(folder, 'events.renumbered'), await readFile(made));
  await writeFile(made, 'first 11\n');
  await writeFile(path.join(folder, 'events-1.log'), text);
  expect(await indexes(opened(folder))).toEqual([
    [11, 1],
    [12, 2],
  ]);
});

test('what the agent remembers is read back, and a damaged file is as at the first start', async () => {
  const folder = await temporaryFolder();
  const disk = opened(folder);
  const nothing = { revision: 0, quarantined: {}, installed: [], seq: 0, joined: false, published: 0 };
  expect(await disk.read()).toEqual(nothing);
  const record = {
    ...nothing,
    revision: 7,
    installed: ['a@1'],
    quarantined: { 'a@2': { body: 'x' } },
    joined: true,
  };
  await disk.write(record);
  expect(await opened(folder).read()).toEqual(record);
  await writeFile(path.join(folder, 'agent.json'), '{"revision": 7, "installed": ["a');
  expect(await disk.read()).toEqual(nothing);
  await writeFile(path.join(folder, 'agent.json'), '{"revision": "x", "installed": ["a@1"]}');
  expect(await disk.read()).toEqual({ ...nothing, installed: ['a@1'] });
});
