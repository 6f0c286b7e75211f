/**
 * Setup of each test file: what the file leaves behind makes it fail. It gets a temp dir of its own, so that what is of
 * others, which run beside it, is not taken for its own; processes are found by that too, for they inherit it.
 */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, vi } from 'vitest';
import { atEndOfFile } from './end-of-file.js';

/** What the library makes in a temp dir; a host that a test has killed may leave more there, which goes with the file. */
const OURS = 'procvision-';
/** What is left ends by itself within this time, or not at all: the machine may be busy. */
const PATIENCE_MS = 20_000;

// What is kept from run to run lies in the temp dir of the machine.
process.env.PROCVISION_TEST_CACHE ??= os.tmpdir();
const folder = mkdtempSync(path.join(os.tmpdir(), 'pvt-'));
chmodSync(folder, 0o1777); // tests run workers as other users
const NAMES = ['TMPDIR', 'TEMP', 'TMP'];
const before = NAMES.map((name) => [name, process.env[name]] as const);
for (const name of NAMES) process.env[name] = folder;

// tsx keeps in the temp dir what it has compiled: a host that a test starts finds what one before it has compiled.
if (process.platform !== 'win32') {
  const compiled = `tsx-${os.userInfo().uid}`;
  const kept = path.join(process.env.PROCVISION_TEST_CACHE, compiled);
  mkdirSync(kept, { recursive: true });
  symlinkSync(kept, path.join(folder, compiled));
}

afterAll(async () => {
  try {
    await Promise.all(atEndOfFile.splice(0).map((clean) => clean()));
    await vi.waitFor(expectNothing, { timeout: PATIENCE_MS, interval: 50 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
    // The next file may be of the same process.
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  }
}, PATIENCE_MS + 10_000);

function expectNothing(): void {
  const left = [...files(), ...(process.platform === 'linux' ? [...processes(), ...descriptors()] : [])];
  if (left.length > 0) throw new Error(`this test file has left behind:\n${left.join('\n')}`);
}

function files(): string[] {
  const inMemory = process.platform === 'linux' ? readdirSync('/dev/shm') : [];
  return [
    ...readdirSync(folder)
      .filter((name) => name.startsWith(OURS))
      .map((name) => `file ${path.join(folder, name)}`),
    ...inMemory
      .filter((name) => name.startsWith(`procvision-frames-${process.pid}-`))
      .map((name) => `file /dev/shm/${name}`),
  ];
}

/** Children, zombies included, and what was adopted by others but has the temp dir in its environment. */
function processes(): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    const stat = read(`/proc/${pid}/stat`);
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(parent) !== process.pid && !read(`/proc/${pid}/environ`).includes(`=${folder}\0`)) return [];
    return [`process ${pid} ${state}: ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`];
  });
}

/** Of sealed memory, and of files that only the library and its tests have. */
function descriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((number) => {
    const leads = follow(`/proc/self/fd/${number}`);
    const isOurs = leads.startsWith('/memfd:') || leads.startsWith(folder) || leads.startsWith('/dev/shm/');
    return isOurs ? [`descriptor ${number} of ${leads}`] : [];
  });
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // it has ended, or is another user's
  }
}

function follow(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}
