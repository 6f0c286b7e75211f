import { chmod, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { ChosenWheel } from './choice.js';
import { finalPython } from './environment.js';
import { consoleCommands, parseTarget, scriptBody } from './entry-points.js';
import type { PythonFacts } from './python-facts.js';
import type { FileLinker } from './link-files.js';
import { formatRecord, recordHash, type RecordRow } from './record.js';
import { dataScriptHeader, scriptHeader } from './scripts.js';
import type { Venv } from './types.js';
import { treeOf, type StoredFile, type WheelEntry } from './wheel-entry.js';

/** An unpacked wheel to put into an environment. */
export interface LinkOptions extends OperationOptions {
  venv: Venv;
  facts: PythonFacts;
  entry: WheelEntry;
  /** Folder of the entry in the store. */
  folder: string;
  linker: FileLinker;
  chosen: ChosenWheel;
  onFile?: (file: StoredFile) => void;
}

/** Links under way at once. */
const LANES = 8;

/**
 * Puts a wheel of the store into an environment as PEP 427 says and as pip does it: the root into purelib or platlib,
 * `.data` by its schemes, scripts with this environment's interpreter, then INSTALLER, REQUESTED and RECORD.
 */
export async function linkWheel(options: LinkOptions): Promise<void> {
  const { venv, facts, entry, folder, signal } = options;
  const library = path.join(venv.dir, entry.purelib ? facts.schemes.purelib : facts.schemes.platlib);
  const info = path.join(library, entry.info);
  const places = new Map<string, string>();
  const scripts: { from: string; to: string; file: StoredFile }[] = [];
  const links: { from: string; to: string; file: StoredFile }[] = [];
  for (const file of entry.files) {
    if (isReplaced(file.path, entry)) continue;
    const target = destination(file.path, entry, options, library);
    if (target === undefined) continue;
    places.set(file.path, target.to);
    const from = path.join(treeOf(folder), file.path);
    (target.isScript ? scripts : links).push({ from, to: target.to, file });
  }
  await makeFolders([...[...places.values()].map((to) => path.dirname(to)), info]);
  const next = links[Symbol.iterator]();
  const lane = async () => {
    for (const { from, to, file } of next) {
      throwIfAborted(signal, 'installation');
      const mode = await options.linker.place(from, to);
      // A clone and a copy are this environment's own.
      if (mode !== 'hardlink') await chmod(to, file.executable ? 0o755 : 0o644);
      options.onFile?.(file);
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: LANES }, lane));
  for (const result of lanes) if (result.status === 'rejected') throw result.reason;

  const changed = new Map<string, Buffer>();
  for (const { from, to, file } of scripts) {
    const original = await readFile(from);
    const content = withInterpreter(original, finalPython(venv));
    if (content) changed.set(file.path, content);
    await replaceFile(to, content ?? original, file.executable ? 0o755 : 0o644);
  }
  const generated = await writeGenerated(options, info);
  const record = recordOf(entry, library, places, changed, generated);
  await replaceFile(path.join(info, 'RECORD'), formatRecord(record), 0o644);
}

/** RECORD is written anew; the records of others' signatures and of another installer mean nothing here. */
function isReplaced(file: string, entry: WheelEntry): boolean {
  return ['RECORD', 'INSTALLER', 'REQUESTED', 'direct_url.json'].some(
    (name) => file === `${entry.info}/${name}`,
  );
}

function destination(
  file: string,
  entry: WheelEntry,
  { venv, facts, chosen }: LinkOptions,
  library: string,
): { to: string; isScript: boolean } | undefined {
  const [top = '', key = '', ...rest] = file.split('/');
  if (!top.endsWith('.data')) return { to: path.join(library, file), isScript: false };
  if (rest.length === 0) {
    throw new RunnerError(
      'install_failed',
      `${entry.file} has a file ${file} outside every scheme of its .data folder`,
      {
        details: { path: entry.file },
      },
    );
  }
  const { schemes } = facts;
  const folders: Partial<Record<string, string>> = {
    ...schemes,
    headers: path.join(schemes.headers, chosen.writtenName),
  };
  const scheme = folders[key];
  if (scheme === undefined || !Object.hasOwn(folders, key)) {
    throw new RunnerError('install_failed', `${entry.file} has ${file}: ${key} is no scheme`, {
      details: { path: entry.file },
    });
  }
  // A script that an entry point replaces.
  const command = (rest.at(-1) ?? '').replace(/(\.exe|-script\.py|\.pya)$/i, '');
  const { console, gui } = entry.scripts;
  const isWrapper = key === 'scripts' && (Object.hasOwn(console, command) || Object.hasOwn(gui, command));
  return isWrapper ? undefined : { to: path.join(venv.dir, scheme, ...rest), isScript: key === 'scripts' };
}

async function makeFolders(folders: readonly string[]): Promise<void> {
  for (const folder of [...new Set(folders)].sort()) await mkdir(folder, { recursive: true });
}

/** The script with this interpreter in its first line; undefined when it does not ask for one. */
function withInterpreter(content: Buffer, python: string): Buffer | undefined {
  if (!content.subarray(0, 8).equals(Buffer.from('#!python'))) return undefined;
  const end = content.indexOf(0x0a);
  const rest: Uint8Array = content.subarray(end === -1 ? content.length : end + 1);
  return Buffer.concat([Buffer.from(dataScriptHeader(python)), rest]);
}

/** Writes what an installer adds. @returns path and content of each file */
async function writeGenerated(options: LinkOptions, info: string): Promise<Map<string, Buffer>> {
  const { venv, facts, entry } = options;
  const generated = new Map<string, Buffer>();
  const bin = path.join(venv.dir, facts.schemes.scripts);
  const commands = { ...consoleCommands(entry.scripts.console, facts.version), ...entry.scripts.gui };
  for (const [name, target] of Object.entries(commands)) {
    const parsed = parseTarget(target);
    if (!parsed || /[\\/]/.test(name)) {
      throw new RunnerError(
        'install_failed',
        `${entry.file} has an entry point that cannot be a script: ${name} = ${target}`,
        {
          details: { path: entry.file },
        },
      );
    }
    const content = Buffer.from(scriptHeader(finalPython(venv)) + scriptBody(parsed));
    await mkdir(bin, { recursive: true });
    await replaceFile(path.join(bin, name), content, 0o755);
    generated.set(path.join(bin, name), content);
  }
  const additions: Record<string, string> = options.chosen.requested
    ? { INSTALLER: 'pip\n', REQUESTED: '' }
    : { INSTALLER: 'pip\n' };
  for (const [name, text] of Object.entries(additions)) {
    const file = path.join(info, name);
    const content = Buffer.from(text);
    await replaceFile(file, content, 0o644);
    generated.set(file, content);
  }
  return generated;
}

/** Never written through: what is there may be a link that others share. */
async function replaceFile(file: string, content: string | Uint8Array, mode: number): Promise<void> {
  await unlink(file).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  });
  await writeFile(file, content, { flag: 'wx', mode });
}

function recordOf(
  entry: WheelEntry,
  library: string,
  places: ReadonlyMap<string, string>,
  changed: ReadonlyMap<string, Buffer>,
  generated: ReadonlyMap<string, Buffer>,
): RecordRow[] {
  const relative = (file: string) => path.relative(library, file).split(path.sep).join('/');
  const unlisted = new Map(places);
  const rows: RecordRow[] = [];
  for (const row of entry.record) {
    const place = places.get(row.path);
    unlisted.delete(row.path);
    const content = changed.get(row.path);
    rows.push({
      path: place === undefined ? row.path : relative(place),
      hash: content ? recordHash(content) : row.hash,
      size: content ? String(content.length) : row.size,
    });
  }
  for (const [file, content] of generated) {
    rows.push({ path: relative(file), hash: recordHash(content), size: String(content.length) });
  }
  for (const place of unlisted.values()) rows.push({ path: relative(place), hash: '', size: '' });
  return rows;
}
