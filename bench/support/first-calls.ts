/** A new process for the case `calls/first-200`: prints how long its first calls took, in milliseconds. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BenchContext, Library } from '../harness/case.js';
import { oursInPlace, oursUnproven } from '../peers/ours.js';
import { checked, picturesOf, SMALL } from '../peers/peer.js';
import { thinHost } from '../peers/thin-host.js';

/** What the case tells it. */
export interface FirstCallsArguments {
  /** Of the peer. */
  name: string;
  /** Of the build. */
  root: string;
  quick: boolean;
  /** In which the store is. */
  folder: string;
  cache: string;
}

const CALLS = 200;
const { name, root, ...given } = JSON.parse(process.argv[2] ?? '') as FirstCallsArguments;
const file = (relative: string) => path.join(root, 'dist', relative);
const load = (relative: string) => import(pathToFileURL(file(relative)).href) as Promise<unknown>;
const library = {
  ...{ root, file },
  main: (await load('index.js')) as Library['main'],
  testing: (await load('testing/index.js')) as Library['testing'],
};
const closers: (() => unknown)[] = [];
const context: BenchContext = { ...given, library, onClose: (work) => void closers.unshift(work) };
await mkdir(given.folder, { recursive: true });
const peer = [oursInPlace, oursUnproven, thinHost].find((one) => one.name === name);
const [picture] = picturesOf(SMALL, 1);
if (!peer || !picture) throw new Error(`There is no peer ${name}`);
await peer.prepare(context);
const running = await peer.start(context, 1);
const [inspect] = await running.load([picture]);
if (!inspect) throw new Error('a peer gives one call for each picture');
const call = checked(inspect, picture);
const startedAt = performance.now();
for (let n = 0; n < CALLS; n++) await call();
const took = performance.now() - startedAt;
await running.close();
for (const close of closers) await close();
console.log(took);
