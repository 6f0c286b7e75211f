import { lstat, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { distInfos, formatRecord, parseRecord, recordHash } from './record.js';
import { relativeLauncher, relativeScript } from './scripts.js';
import { renameOver } from '../../store/atomic-file.js';
import type { Venv } from '../types.js';

/** Scripts and launchers are far smaller; larger files in their folder are programs of wheels. */
const MAX_SCRIPT_BYTES = 1 << 20;

/** How each activation script finds the folder of its environment. One of csh cannot, and goes. */
const OWN_FOLDER: Readonly<Record<string, string>> = {
  activate: '"$(cd -- "$(dirname -- "${BASH_SOURCE:-$0}")/.." && pwd)"',
  'activate.fish': '(realpath (dirname (status filename))/..)',
  'activate.bat': '%~dp0..',
};

/**
 * Takes the place out of an environment that was just made, so that it runs wherever its version is moved to: activation
 * scripts find their folder, `pyvenv.cfg` loses the command that made it, and the link to an interpreter that came with
 * the package is relative.
 */
export async function forgetPlace(venv: Venv): Promise<void> {
  const folder = path.dirname(venv.python);
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const found = await lstat(file);
    if (found.isSymbolicLink()) await relateLink(file, path.dirname(venv.dir));
    if (!/^activate/i.test(name) || !found.isFile()) continue;
    const text = await readFile(file, 'utf8');
    const changed = withoutPlace(text, venv.dir, OWN_FOLDER[name] ?? venv.dir);
    if (changed.includes(venv.dir)) await rm(file);
    else if (changed !== text) await writeFile(file, changed);
  }
  const cfg = path.join(venv.dir, 'pyvenv.cfg');
  const text = await readFile(cfg, 'utf8');
  await writeFile(cfg, text.replace(/^command *=.*\r?\n?/m, ''));
}

/**
 * Lets `pyvenv.cfg` of an environment name the place where the interpreter that came with the package will stand. Its
 * console scripts ask that file; workers do not.
 */
export async function nameHome(venv: Venv, finalDir: string): Promise<void> {
  const cfg = path.join(venv.dir, 'pyvenv.cfg');
  const [from, to] = [venv.dir, finalDir].map((dir) => path.dirname(dir) + path.sep);
  if (from === undefined || to === undefined || from === to) return;
  await replaceFile(cfg, (await readFile(cfg, 'utf8')).replaceAll(from, to));
}

/** Lets the scripts and launchers that pip made find the interpreter beside them, and RECORD know them so. */
export async function relateScripts(venv: Venv): Promise<void> {
  const folder = path.dirname(venv.python);
  const contents = new Map<string, Buffer>();
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const found = await lstat(file);
    if (!found.isFile() || found.size > MAX_SCRIPT_BYTES) continue;
    const content = await readFile(file);
    const changed = /\.exe$/i.test(name) ? relativeLauncher(content) : relativeScript(content);
    if (changed) contents.set(file, changed);
  }
  for (const [file, content] of [...(await changedRecords(venv, contents)), ...contents]) {
    await replaceFile(file, content);
  }
}

/** A link into `root` is made relative. */
async function relateLink(file: string, root: string): Promise<void> {
  const target = await readlink(file);
  if (!target.startsWith(root + path.sep)) return;
  await rm(file);
  await symlink(path.relative(path.dirname(file), target), file);
}

/** Replaces the folder as Python's venv quotes it: in double quotes before 3.13, as shlex since then. */
function withoutPlace(text: string, folder: string, own: string): string {
  const quoted = `'${folder.replaceAll("'", `'"'"'`)}'`;
  return text
    .replaceAll(`"${folder}"`, () => own)
    .replaceAll(quoted, () => own)
    .replaceAll(folder, () => own);
}

/** By a rename: the file may be a link that environments share. */
async function replaceFile(file: string, content: string | Buffer): Promise<void> {
  const temporary = `${file}.new`;
  await writeFile(temporary, content, { mode: (await lstat(file)).mode & 0o777 });
  await renameOver(temporary, file);
}

/** The RECORD files that list what changes, with its new hashes. */
async function changedRecords(
  venv: Venv,
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
