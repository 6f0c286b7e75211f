import {
  chmod,
  lstat,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { finalPython, libraries, pythonIn } from './environment-paths.js';
import { distInfos, formatRecord, parseRecord, recordHash } from './record.js';
import { dataScriptHeader, pipsDataScriptHeader, scriptHeader } from './scripts.js';
import type { Venv } from '../types.js';

/** Text files of an environment that name its place. Larger ones, or ones with a NUL, are programs. */
const MAX_SCRIPT_BYTES = 1 << 20;

/** The parts of an environment that a move concerns. */
export type MovedVenv = Pick<Venv, 'dir' | 'python' | 'sitePackages'>;

/** One file or link of an environment that must change because its place did. */
export interface Rewrite {
  /** Absolute. */
  path: string;
  /** New content of a file, or the new target of a link. */
  to: Buffer | { target: string };
}

/** A move of an environment from one absolute path to another. */
export interface Move {
  from: string;
  to: string;
  /** Whether its folder moves with all that lies in it: an interpreter that came with the package lies there. */
  withFolder?: boolean;
}

/**
 * What must change for an environment that names `from` to name `to`: the interpreter lines of installed scripts, whose
 * hashes in RECORD follow, `pyvenv.cfg`, links to an interpreter that moves along, and the activation scripts, of which
 * `activate` comes last: what it names tells whether all has been done.
 */
export async function planRewrites(venv: MovedVenv, move: Move): Promise<Rewrite[]> {
  const { from, to, withFolder = false } = move;
  if (from === to) return [];
  const folder = path.dirname(venv.python);
  const scripts = path.relative(venv.dir, folder);
  const contents = new Map<string, Buffer>();
  const links: Rewrite[] = [];
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const found = await lstat(file);
    if (found.isSymbolicLink() && withFolder) {
      const target = moved(await readlink(file), path.dirname(from), path.dirname(to));
      if (target !== undefined) links.push({ path: file, to: { target } });
    }
    if (!found.isFile() || found.size > MAX_SCRIPT_BYTES) continue;
    const content = await readFile(file);
    if (!content.includes(from)) continue;
    const text = content.toString('latin1');
    const renamed =
      replaceHeader(text, path.join(from, scripts), path.join(to, scripts), path.basename(venv.python)) ??
      (/^activate/i.test(name) ? replaceAll(text, from, to) : undefined);
    if (renamed !== undefined && renamed !== text) contents.set(file, Buffer.from(renamed, 'latin1'));
  }
  const cfg = path.join(venv.dir, 'pyvenv.cfg');
  const text = await readFile(cfg, 'utf8');
  const renamed = withFolder
    ? text.replaceAll(path.dirname(from) + path.sep, path.dirname(to) + path.sep)
    : text.replaceAll(from, to);
  if (renamed !== text) contents.set(cfg, Buffer.from(renamed));
  const records = await changedRecords(venv, contents);
  const activate = path.join(folder, 'activate');
  const rewrites = [...records, ...contents].map(([file, content]): Rewrite => ({ path: file, to: content }));
  return [
    ...links,
    // Records before the files that they list: afterwards an old record could not be recognized.
    ...rewrites.filter((one) => one.path !== activate),
    ...rewrites.filter((one) => one.path === activate),
  ];
}

/** Carries out what was planned, each change by a rename: nobody meets half a script, and read-only files stay so. */
export async function applyRewrites(rewrites: readonly Rewrite[]): Promise<void> {
  for (const { path: file, to } of rewrites) {
    const folder = path.dirname(file);
    const { mode } = await lstat(folder);
    const isSealed = (mode & 0o200) === 0;
    if (isSealed) await chmod(folder, mode | 0o200);
    try {
      const temporary = `${file}.moved`;
      if (Buffer.isBuffer(to)) {
        await writeFile(temporary, to, { mode: 0o600 });
        await chmod(temporary, (await lstat(file)).mode & 0o777);
      } else {
        await symlink(to.target, temporary);
      }
      await rename(temporary, file);
    } finally {
      if (isSealed) await chmod(folder, mode);
    }
  }
}

/**
 * Gives the scripts that a wheel brought with `#!python` a header that works where the path of the environment has a space
 * or is too long: pip's does not.
 */
export async function startInSpaces(venv: Venv): Promise<void> {
  const python = finalPython(venv);
  const [old, right] = [pipsDataScriptHeader(python), dataScriptHeader(python)];
  if (old === right) return;
  const folder = path.dirname(venv.python);
  const contents = new Map<string, Buffer>();
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const found = await lstat(file);
    if (!found.isFile() || found.size > MAX_SCRIPT_BYTES) continue;
    const content = await readFile(file);
    const head = Buffer.from(old);
    if (content.subarray(0, head.length).equals(head))
      contents.set(file, Buffer.concat([Buffer.from(right), content.subarray(head.length)]));
  }
  const records = await changedRecords(venv, contents);
  await applyRewrites([...records, ...contents].map(([file, to]) => ({ path: file, to })));
}

/** An environment's own idea of where it stands, from its activation script; undefined where it has none. */
export async function namedPlace(venv: Pick<Venv, 'python'>): Promise<string | undefined> {
  const text = await readFile(path.join(path.dirname(venv.python), 'activate'), 'utf8').catch(() => '');
  // Before 3.13 in double quotes, since then as shlex quotes it; Windows and Cygwin variants come in between.
  const found = /^\s*(?:export )?VIRTUAL_ENV=(?!\$\(cygpath)(.+?)\s*$/m.exec(text)?.[1];
  return found
    ?.replace(/^"(.*)"$/, '$1')
    .replace(/^'(.*)'$/, (_, inner: string) => inner.replaceAll(`'"'"'`, "'"));
}

/**
 * The environment in `dir` and how it came there, when it names another place. Another path to the same folder is no
 * move.
 */
export async function findMove(dir: string): Promise<{ venv: MovedVenv; move: Move } | undefined> {
  const python = pythonIn(dir);
  const from = await namedPlace({ python });
  if (from === undefined || from === dir) return undefined;
  const [real, own] = await Promise.all([from, dir].map((one) => realpath(one).catch(() => undefined)));
  if (real !== undefined && real === own) return undefined;
  const [sitePackages] = await libraries(dir);
  return sitePackages === undefined
    ? undefined
    : { venv: { dir, python, sitePackages }, move: { from, to: dir, withFolder: true } };
}

/** `file` as it is called once what lies in `from` lies in `to`; undefined when it does not lie there. */
function moved(file: string, from: string, to: string): string | undefined {
  return file.startsWith(from + path.sep) ? to + file.slice(from.length) : undefined;
}

function replaceHeader(text: string, from: string, to: string, python: string): string | undefined {
  const bytes = (value: string) => Buffer.from(value).toString('latin1');
  const headers = [
    [scriptHeader, scriptHeader],
    [pipsDataScriptHeader, dataScriptHeader],
  ] as const;
  for (const [before, after] of headers) {
    for (const name of [python, 'python3']) {
      const old = bytes(before(path.join(from, name)));
      if (text.startsWith(old)) return bytes(after(path.join(to, name))) + text.slice(old.length);
    }
  }
  return undefined;
}

function replaceAll(text: string, from: string, to: string): string {
  return text.replaceAll(Buffer.from(from).toString('latin1'), Buffer.from(to).toString('latin1'));
}

/** The RECORD files that list what changes, with its new hashes. */
async function changedRecords(
  venv: MovedVenv,
  changed: ReadonlyMap<string, Buffer>,
): Promise<Map<string, Buffer>> {
  const records = new Map<string, Buffer>();
  if (changed.size === 0) return records;
  for (const info of await distInfos(venv.sitePackages)) {
    const file = path.join(venv.sitePackages, info, 'RECORD');
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const rows = parseRecord(text);
    let isChanged = false;
    for (const row of rows) {
      const content = changed.get(path.resolve(venv.sitePackages, row.path));
      if (!content) continue;
      row.hash = recordHash(content);
      row.size = String(content.length);
      isChanged = true;
    }
    if (isChanged) records.set(file, Buffer.from(formatRecord(rows)));
  }
  return records;
}
