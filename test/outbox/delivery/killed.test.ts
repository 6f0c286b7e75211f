import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { bundledScript } from '../../support/bundled-script.js';
import { Platform, type Fault } from '../../support/outbox/platform.js';

const KILLS = Number(process.env.DELIVERY_KILLS ?? '4');
const RECORDS = Number(process.env.DELIVERY_RECORDS ?? '400');

/** Runs a station; with `ms` it is killed so long after it has begun. */
async function runStation(folder: string, url: string, ms?: number): Promise<void> {
  const host = await bundledScript('../outbox/delivery/killed-host.ts');
  const child = spawn(process.execPath, [host, folder, url, String(RECORDS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), ended]);
  if (ms !== undefined) {
    const timer = setTimeout(() => child.kill('SIGKILL'), ms);
    await ended;
    clearTimeout(timer);
    return;
  }
  expect(await ended).toEqual([0, null]);
}

test(
  'a station that is killed at random, over a line with every kind of fault: no record lost, none doubled, the order kept',
  { timeout: 36_000_000 },
  async () => {
    const kinds: Fault[] = ['reset', 'lostAnswer', 'wrongJson', { status: 500 }, { status: 429 }];
    const faults = fc.sample(fc.option(fc.constantFrom(...kinds), { nil: undefined, freq: 2 }), 1_000);
    let call = 0;
    const platform = await Platform.start({ fault: () => faults[call++ % faults.length] });
    // Not the folder of the test: files in it are made by processes that are killed.
    const folder = await mkdtemp(path.join(os.tmpdir(), 'pvt-killed-'));
    onTestFinished(async () => {
      await platform.close();
      await rm(folder, { recursive: true, force: true });
    });
    for (const ms of fc.sample(fc.integer({ min: 0, max: 400 }), KILLS)) {
      await runStation(folder, platform.url, ms);
    }
    await runStation(folder, platform.url);
    const file = path.join(folder, 'promised');
    expect(existsSync(file)).toBe(true);
    const promised = (await readFile(file, 'utf8')).trimEnd().split('\n');
    const inOrder = promised
      .map((line) => line.split(' ') as [string, string])
      .sort(([a], [b]) => Number(a) - Number(b))
      .map(([, id]) => id);
    const received = [...platform.records.keys()];
    const wanted = new Set(inOrder);
    expect(wanted.size).toBe(inOrder.length);
    // What was durable a moment before a kill may not have been promised any more.
    expect(received.filter((id) => wanted.has(id))).toEqual(inOrder);
    expect(platform.violations).toEqual([]);
    expect(platform.artifacts.size).toBeGreaterThanOrEqual(Math.floor(RECORDS / 10));
  },
);
