import { execFileSync } from 'node:child_process';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { assetPath } from '../../src/assets.js';
import { RELATIVE_HEADER } from '../../src/python/environments/scripts.js';
import type { Venv } from '../../src/python/types.js';
import { IS_WINDOWS } from './platform.js';

/** A whole environment as data: every path with its kind, its execute bit and its content, the place left out. */
export async function environmentTree(venv: Venv): Promise<Record<string, string>> {
  const tree: Record<string, string> = {};
  for (const name of (await readdir(venv.dir, { recursive: true })).sort()) {
    const file = path.join(venv.dir, name);
    const place = name.replaceAll('\\', '/');
    const found = await lstat(file);
    if (name.includes('__pycache__')) continue;
    if (found.isSymbolicLink()) tree[place] = `-> ${await readlink(file)}`;
    else if (found.isDirectory()) tree[place] = 'folder';
    else {
      const content = withoutTimes(await readFile(file)).toString('latin1');
      const kind = found.mode & 0o111 ? 'program' : 'file';
      tree[place] = `${kind} ${withoutPlace(content, venv)}`;
    }
  }
  return tree;
}

/** A launcher of Windows without the times in its zip: pip takes the clock's. */
function withoutTimes(content: Buffer): Buffer {
  if (content.toString('latin1', 0, 2) !== 'MZ') return content;
  for (const [mark, offset] of [
    ['PK\x03\x04', 10],
    ['PK\x01\x02', 12],
  ] as const) {
    const at = content.lastIndexOf(mark, undefined, 'latin1');
    if (at !== -1) content.fill(0, at + offset, at + offset + 4);
  }
  return content;
}

const HEADER = '#!<the interpreter beside it>\n';
/** As a line of the kernel, or by the shell where the path is too long for it or has spaces. */
const PIPS_HEADER =
  /^#!(?:"?<place>(?:\/bin\/python[\d.]*|\\Scripts\\python\.exe)"?\r?|\/bin\/sh\n'''exec' "?<place>\/bin\/python[\d.]*"? "\$0" "\$@"\n' ''')\n/;

/** Scripts of pip name the place of their environment, ours find the interpreter beside them. The hash and size of a script that names its place differ; the rest of RECORD does not. */
function withoutPlace(content: string, venv: Venv): string {
  const place = Buffer.from(venv.dir).toString('latin1');
  return content
    .replaceAll(place, '<place>')
    .replace(RELATIVE_HEADER, HEADER)
    .replace(PIPS_HEADER, HEADER)
    .replace(/^(\.\.\/.*\/(?:bin|Scripts)\/[^,]*),sha256=[^,]+,\d+/gm, '$1,<hash>');
}

/** What pip and importlib.metadata say of an environment. */
export function pythonsView(venv: Venv, pip: string): unknown {
  const run = (...args: string[]) =>
    execFileSync(venv.python, ['-I', '-B', ...args], {
      encoding: 'utf8',
      // Python does not start on Windows without its variables.
      env: IS_WINDOWS ? { ...process.env, PIP_CONFIG_FILE: 'nul' } : { PIP_CONFIG_FILE: '/dev/null' },
    });
  const runner = [assetPath('python/pip/pip_runner.py'), pip, venv.python, venv.dir];
  const metadata = run(
    '-c',
    `import json, importlib.metadata as m
print(json.dumps(sorted([d.metadata["Name"], d.version, d.read_text("INSTALLER"), d.requires,
  sorted(str(f) for f in d.files), sorted(str(e) for e in d.entry_points)] for d in m.distributions())))`,
  );
  return {
    list: JSON.parse(run(...runner, 'list', '--format', 'json', '--disable-pip-version-check')) as unknown,
    check: run(...runner, 'check', '--disable-pip-version-check'),
    freeze: run(...runner, 'freeze', '--disable-pip-version-check'),
    metadata: JSON.parse(metadata) as unknown,
  };
}
