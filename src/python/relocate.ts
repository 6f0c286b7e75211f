import { lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { distInfos, formatRecord, parseRecord, recordHash } from './record.js';
import { dataScriptHeader, scriptHeader } from './scripts.js';
import type { Venv } from './types.js';

/** Text files of an environment that name its place. Larger ones, or ones with a NUL, are programs. */
const MAX_SCRIPT_BYTES = 1 << 20;

/**
 * Rewrites the place an environment names in its own files from `from` to `to`: the activation scripts, `pyvenv.cfg`
 * and the interpreter lines of installed scripts, whose hashes in RECORD follow.
 *
 * @returns absolute paths of the files that changed
 */
export async function rewritePaths(venv: Venv, from: string, to: string): Promise<string[]> {
  if (from === to) return [];
  const folder = path.dirname(venv.python);
  const python = path.basename(venv.python);
  const changed: string[] = [];
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const found = await lstat(file);
    if (!found.isFile() || found.size > MAX_SCRIPT_BYTES) continue;
    const content = await readFile(file);
    if (!content.includes(from)) continue;
    const text = content.toString('latin1');
    const renamed =
      replaceHeader(
        text,
        path.join(from, path.relative(venv.dir, folder)),
        path.join(to, path.relative(venv.dir, folder)),
        python,
      ) ?? (/^activate/i.test(name) ? replaceAll(text, from, to) : undefined);
    if (renamed === undefined || renamed === text) continue;
    // Never through a link that other environments share.
    await writeFile(file, Buffer.from(renamed, 'latin1'));
    changed.push(file);
  }
  const cfg = path.join(venv.dir, 'pyvenv.cfg');
  const text = await readFile(cfg, 'utf8');
  if (text.includes(from)) {
    await writeFile(cfg, text.replaceAll(from, to));
    changed.push(cfg);
  }
  await updateRecords(venv, new Set(changed));
  return changed;
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

function replaceHeader(text: string, from: string, to: string, python: string): string | undefined {
  const bytes = (value: string) => Buffer.from(value).toString('latin1');
  for (const header of [scriptHeader, dataScriptHeader]) {
    for (const name of [python, 'python3']) {
      const old = bytes(header(path.join(from, name)));
      if (text.startsWith(old)) return bytes(header(path.join(to, name))) + text.slice(old.length);
    }
  }
  return undefined;
}

function replaceAll(text: string, from: string, to: string): string {
  return text.replaceAll(Buffer.from(from).toString('latin1'), Buffer.from(to).toString('latin1'));
}

async function updateRecords(venv: Venv, changed: ReadonlySet<string>): Promise<void> {
  if (changed.size === 0) return;
  for (const info of await distInfos(venv.sitePackages)) {
    const file = path.join(venv.sitePackages, info, 'RECORD');
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const rows = parseRecord(text);
    let isChanged = false;
    for (const row of rows) {
      const target = path.resolve(venv.sitePackages, row.path);
      if (!changed.has(target)) continue;
      const content = await readFile(target);
      row.hash = recordHash(content);
      row.size = String(content.length);
      isChanged = true;
    }
    if (isChanged) await writeFile(file, formatRecord(rows));
  }
}
