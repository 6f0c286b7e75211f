import { constants } from 'node:fs';
import { access, lstat, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { findDrift } from '../../../deploy/seal/drift.js';
import { readMarker } from '../../../deploy/seal/seal.js';
import { walkTree } from '../../../deploy/seal/tree.js';
import { holderOf } from '../../../deploy/transaction/version-lock.js';
import type { DriftedFile } from '../../../deploy/types.js';
import { listed } from '../../../package/text.js';
import { isByteCode } from '../../../package/wheel-places.js';
import { baseInterpreter } from '../../../process/base-interpreter.js';
import { findBaseFault } from '../../../python/environments/base-fault.js';
import { libraries, pythonIn } from '../../../python/environments/environment-paths.js';
import { readInventory } from '../../../registry/inventory.js';
import { isSame } from '../../../registry/mappings.js';
import type { RegistryContent } from '../../../registry/registry-file.js';
import type { RegistryEntry } from '../../../registry/types.js';
import { isSafeFolderName } from '../../../store/file-names.js';
import { namesIn } from '../../../store/names-in.js';
import { isSetAside } from '../../../store/set-aside.js';
import { finding, type Finding } from '../finding.js';
import type { Examination } from './context.js';
import { libraryFindings } from './libraries.js';
import { closeToOthers, HAS_MODES, isOpenToOthers, writableByOthers } from './modes.js';

/** Files that are named. */
const MOST_NAMED = 3;

/** Deployed versions: whole, as they were installed, with a Python and with all libraries that they need. */
export async function examineVersions(
  examination: Examination,
  content: RegistryContent,
): Promise<Finding[]> {
  const { layout, only } = examination;
  const found: Finding[] = [];
  for (const entry of content.packages) {
    if (only && !isSame(entry, only)) continue;
    // Another operation may be replacing it: what looks damaged is on its way.
    if ((await holderOf(layout, entry.name, entry.version)).holder) continue;
    found.push(...(await examineVersion(examination, entry)));
  }
  if (!only) found.push(...(await unlisted(examination, content)));
  return found;
}

async function examineVersion(examination: Examination, entry: RegistryEntry): Promise<Finding[]> {
  const { layout, verify, signal } = examination;
  const { name, version } = entry;
  const root = layout.deployed(name, version);
  const about = { name, version };
  const isThere = (await stat(root).catch(() => undefined))?.isDirectory() === true;
  if (!isThere || (entry.inventory_sha256 !== undefined && !(await readMarker(root)))) {
    const what = isThere ? `${root} is not complete` : `${root} is not there`;
    return [
      finding('version.incomplete', {
        what,
        why: 'It was removed, in part or whole, by hand',
        ...about,
        path: root,
      }),
    ];
  }
  const found: Finding[] = [];
  const environment = layout.venv(name, version);
  const python = await examineEnvironment(examination, entry, found);
  if (verify && entry.inventory_sha256 !== undefined) {
    const { drift } = await findDrift(root, entry, { signal });
    found.push(...driftFindings(root, entry, drift, python !== undefined));
    if (drift.length === 0) found.push(...(await examineByteCode(root, entry)));
  }
  found.push(...(await examineModes(root, entry)));
  if (python !== undefined)
    found.push(...(await libraryFindings(await libraries(environment), { ...examination, entry, python })));
  return found;
}

/** @returns the program of the interpreter that the environment was made from, where that is as it was */
async function examineEnvironment(
  { layout, signal }: Examination,
  { name, version, python_version: wanted }: RegistryEntry,
  found: Finding[],
): Promise<string | undefined> {
  const environment = layout.venv(name, version);
  const python = pythonIn(environment);
  const about = { name, version, path: python };
  if (!(await lstat(python).catch(() => undefined))) {
    if (wanted !== undefined) {
      const what = `${python} is not there`;
      found.push(
        finding('environment.no-python', {
          what,
          why: 'It was removed: nothing of the version can run',
          ...about,
        }),
      );
    }
    return undefined;
  }
  const fault = await findBaseFault(environment, { signal });
  if (!fault) {
    const { command } = baseInterpreter(python);
    const refused = await access(command, constants.X_OK).catch((error: unknown) => error as Error);
    if (refused === undefined) return command;
    const what = `${command}, the interpreter of ${name} ${version}, cannot be started`;
    found.push(finding('environment.no-python', { what, why: refused.message, ...about }));
    return undefined;
  }
  const minor = minorOf(wanted);
  found.push(
    finding('environment.python-missing', {
      what: `${fault.path}, from which the environment of ${name} ${version} was made, is not there`,
      why: 'That Python was uninstalled or upgraded',
      remedy: `Install Python ${minor} at ${fault.path} again, or the package: procvision-runner install ZIP --force`,
      ...{ name, version, path: fault.path },
    }),
  );
  return undefined;
}

/** `3.11` of `3.11.7`. */
function minorOf(version = ''): string {
  return version.split('.').slice(0, 2).join('.');
}

function driftFindings(
  root: string,
  { name, version, python_version: wanted }: RegistryEntry,
  drift: readonly DriftedFile[],
  hasPython: boolean,
): Finding[] {
  const about = { name, version };
  const own = drift.filter(({ path: file }) => !path.isAbsolute(file)); // the other one is the Python of the environment
  const code = own.filter((one) => isByteCode(one.path));
  const python = path
    .relative(root, pythonIn(path.join(root, 'venv')))
    .split(path.sep)
    .join('/');
  const others = own.filter((one) => !isByteCode(one.path) && (hasPython || one.path !== python));
  const found: Finding[] = [];
  const upgraded = drift.find(({ path: file, kind }) => path.isAbsolute(file) && kind === 'changed');
  if (upgraded) {
    const what = `${upgraded.path} is not Python ${minorOf(wanted)} any more`;
    const why = 'That Python was upgraded: it does not find what is installed';
    found.push(finding('environment.python-changed', { what, why, ...about, path: upgraded.path }));
  }
  if (others.length > 0) {
    const what = `${name} ${version}: ${inWords(others)}`;
    const why = 'Somebody has changed what was installed, or the disk fails';
    found.push(
      finding('version.changed', { what, why, ...about, path: path.join(root, others[0]?.path ?? '') }),
    );
  }
  if (code.length > 0) {
    const added = code.filter(({ kind }) => kind === 'added').map(({ path: file }) => path.join(root, file));
    const isAllAdded = added.length === code.length;
    const fix = async () => {
      for (const file of added) await rm(file, { force: true });
    };
    found.push(
      finding('version.byte-code', {
        what: `${name} ${version}: ${inWords(code)}`,
        why: 'Python runs byte code in place of the source beside it',
        ...(isAllAdded && { fix, remedy: 'Remove these files, or run doctor --fix' }),
        ...{ ...about, path: path.join(root, code[0]?.path ?? '') },
      }),
    );
  }
  return found;
}

function inWords(files: readonly DriftedFile[]): string {
  const words = files.map(({ path: file, kind }) => `${file} was ${kind === 'missing' ? 'removed' : kind}`);
  return listed(words, ', ', MOST_NAMED);
}

/** Of an environment that has sources and was sealed without byte code. */
async function examineByteCode(root: string, entry: RegistryEntry): Promise<Finding[]> {
  const inventory = await readInventory(root, entry).catch(() => undefined);
  const files = Object.keys(inventory?.files ?? {}).filter((file) => file.startsWith('venv/'));
  if (!files.some((file) => file.endsWith('.py')) || files.some((file) => file.endsWith('.pyc'))) return [];
  const { name, version } = entry;
  const what = `${name} ${version} has no byte code`;
  return [
    finding('version.no-byte-code', {
      what,
      why: 'It was installed with compileBytecode: false, or compiling took too long',
      name,
      version,
    }),
  ];
}

async function examineModes(root: string, { name, version }: RegistryEntry): Promise<Finding[]> {
  if (!HAS_MODES) return [];
  const open = await writableByOthers([root]);
  try {
    for await (const node of walkTree(root)) if (isOpenToOthers(node.stats)) open.push(node.path);
  } catch {
    return []; // a folder that went, or cannot be read, is a drift
  }
  if (open.length === 0) return [];
  return [
    finding('version.writable-by-others', {
      what: `Every user of this machine may write to ${listed(open, ', ', MOST_NAMED)}`,
      why: `It is a part of ${name} ${version}, which workers run`,
      ...{ name, version, path: open[0], fix: () => closeToOthers(open) },
    }),
  ];
}

/** Folders that somebody else put there; what is locked is being deployed. */
async function unlisted({ layout }: Examination, { packages }: RegistryContent): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const name of await namesIn(layout.deployedRoot)) {
    const children = await namesIn(path.join(layout.deployedRoot, name));
    for (const version of children) {
      const isOther = /\.lock(?:\.|$)/.test(version) || version.startsWith('.') || isSetAside(version);
      if (
        isOther ||
        packages.some((entry) => isSame(entry, { name, version })) ||
        children.includes(`${version}.lock`)
      )
        continue;
      const folder = path.join(layout.deployedRoot, name, version);
      if (!(await lstat(folder).catch(() => undefined))?.isDirectory()) continue;
      if (!isSafeFolderName(name) || !isSafeFolderName(version)) continue;
      const what = `${folder} is not in the registry`;
      const remedy = `Install ${name} ${version} from its zip, or remove the folder: rm -r ${folder}`;
      found.push(
        finding('version.unlisted', {
          what,
          why: 'Somebody has put it there, or taken it off the list',
          remedy,
          path: folder,
        }),
      );
    }
  }
  return found;
}
