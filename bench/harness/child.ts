/** The process of one case with one build. It does what the run orders, and ends when the run closes the channel. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Unavailable, type BenchCase, type Contestant, type Library, type OpenContestant } from './case.js';
import type { CaseArguments, Order, Reply } from './messages.js';

const { module, name, root, ...given } = JSON.parse(process.argv[2] ?? '') as CaseArguments;
const openers: Record<string, OpenContestant> = {};
const contestants = new Map<string, Contestant>();
const closers: (() => unknown)[] = [];

async function loadLibrary(): Promise<Library> {
  const file = (relative: string) => path.join(root, 'dist', relative);
  const load = (relative: string) => import(pathToFileURL(file(relative)).href) as Promise<unknown>;
  return {
    ...{ root, file },
    main: (await load('index.js')) as Library['main'],
    testing: (await load('testing/index.js')) as Library['testing'],
  };
}

async function prepare(): Promise<Reply> {
  const { cases } = (await import(module)) as { cases: BenchCase[] };
  const bench = cases.find((one) => one.name === name);
  if (!bench) throw new Error(`${module} has no case ${name}`);
  if (bench.oneCore) spawnSync('taskset', ['--all-tasks', '--pid', '--cpu-list', '0', String(process.pid)]);
  const onClose = (work: () => unknown) => void closers.unshift(work);
  Object.assign(openers, await bench.open({ ...given, library: await loadLibrary(), onClose }));
  return { ok: true, contestants: Object.keys(openers) };
}

async function close(): Promise<Reply> {
  const faults: unknown[] = [];
  const works = [...[...contestants.values()].reverse().map(({ close }) => close), ...closers];
  for (const work of works) {
    try {
      await work?.();
    } catch (error) {
      faults.push(error);
    }
  }
  if (faults.length > 0) throw faults.length === 1 ? faults[0] : new AggregateError(faults);
  return { ok: true };
}

async function carryOut(order: Order): Promise<Reply> {
  switch (order.do) {
    case 'prepare':
      return prepare();
    case 'open': {
      const open = openers[order.contestant];
      if (!open) throw new Error(`the case has no contestant ${order.contestant}`);
      contestants.set(order.contestant, await open());
      return { ok: true };
    }
    case 'round': {
      const contestant = contestants.get(order.contestant);
      if (!contestant) throw new Error(`${order.contestant} is not open`);
      return { ok: true, figures: await contestant.round() };
    }
    case 'close':
      return close();
  }
}

function inWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\n  because ${inWords(error.cause)}`;
  const parts = error instanceof AggregateError ? error.errors.map((part) => `\n  - ${inWords(part)}`) : [];
  return `${error.stack ?? error.message}${cause}${parts.join('')}`;
}

let last = Promise.resolve();
process.on('message', (order: Order) => {
  last = last.then(async () => {
    const reply = await carryOut(order).catch((error: unknown): Reply => {
      if (error instanceof Unavailable) return { ok: false, unavailable: error.message };
      return { ok: false, error: inWords(error) };
    });
    process.send?.(reply);
  });
});
process.on('disconnect', () => process.exit());
