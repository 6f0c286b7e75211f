import { appendFile, copyFile, mkdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DiscoveredPackage, InvalidEvent } from '../../src/deploy/types.js';
import type { Deployer } from '../../src/deploy/deployer.js';
import { Discovery } from '../../src/deploy/discovery/discovery.js';
import type { PackageSteps } from '../../src/deploy/package-steps.js';
import { RunnerError } from '../../src/errors.js';
import { renameOver } from '../../src/store/atomic-file.js';
import { deployStore } from '../support/deploy-store.js';
import { plainSteps } from '../support/plain-steps.js';

const anHourAgo = () => new Date(Date.now() - 3_600_000);

/** Resolves with the next event of this name. */
function next<T>(deployer: Deployer, event: 'discovered' | 'invalid' | 'installed' | 'error'): Promise<T> {
  return new Promise((resolve) => {
    deployer.once(event, (value) => {
      resolve(value as T);
    });
  });
}

describe('scan', () => {
  test('of an empty store, or one without its folders, finds nothing', async () => {
    const { deployer, registry } = await deployStore();
    expect(await deployer.scan()).toEqual([]);
    await rm(registry.layout.algorithms, { recursive: true });
    expect(await deployer.scan()).toEqual([]);
  });

  test('tells a zip that can be installed, and one that is deployed, by name and version', async () => {
    const { deployer, registry, zip } = await deployStore();
    const file = path.join(registry.layout.zips, 'anything.zip');
    await copyFile(await zip({ version: '1.2.3' }), file);
    const found = { source: 'zip', path: file, name: 'sample', version: '1.2.3', settling: false };
    expect(await deployer.scan()).toMatchObject([{ ...found, state: 'validated' }]);
    await deployer.install(file);
    expect(await deployer.scan()).toMatchObject([
      { ...found, state: 'deployed' },
      { source: 'deployed', name: 'sample', version: '1.2.3', state: 'deployed' },
    ]);
  });

  test('remembers why a zip is invalid without reading it again, until the file changes', async () => {
    let reads = 0;
    const { deployer, registry, zip } = await deployStore({
      steps: { ...plainSteps, open: (...given) => ((reads += 1), plainSteps.open(...given)) },
    });
    const file = path.join(registry.layout.zips, 'bad.zip');
    await writeFile(file, 'this is no zip');
    await utimes(file, anHourAgo(), anHourAgo());
    const events: InvalidEvent[] = [];
    deployer.on('invalid', (event) => events.push(event));
    for (const _look of ['first', 'second']) {
      expect(await deployer.scan()).toMatchObject([
        { state: 'invalid', settling: false, reason: { code: 'invalid_zip', errorCode: '2001' } },
      ]);
    }
    expect([reads, events.length]).toEqual([1, 1]);
    await writeFile(file, await readFile(await zip()));
    expect(await deployer.scan()).toMatchObject([{ state: 'validated' }]);
  });

  test('calls a zip deployed that failed before, once it is: installed here or by another host', async () => {
    let isBroken = true;
    const refused = () => Promise.reject(new RunnerError('install_failed', 'libGL.so.1 is not there'));
    const steps: PackageSteps = {
      ...plainSteps,
      smoke: (...given) => (isBroken ? refused() : plainSteps.smoke(...given)),
    };
    const { deployer, registry, zip, join } = await deployStore({ steps });
    const file = path.join(registry.layout.zips, 'a.zip');
    await copyFile(await zip(), file);
    await expect(deployer.install(file)).rejects.toThrow('libGL');
    const { deployer: other } = await join();
    await expect(other.install(file)).rejects.toThrow('libGL');
    const look = async (host: Deployer) =>
      (await host.scan()).map(({ source, state }) => `${source} ${state}`);
    expect(await look(deployer)).toEqual(['zip invalid']);
    isBroken = false;
    await deployer.install(file);
    for (const host of [deployer, other])
      expect(await look(host)).toEqual(['zip deployed', 'deployed deployed']);
  });

  test('looks again after a while at a zip for which there was no Python, and tells of it once', async () => {
    let hasPython = false;
    const refused = () => Promise.reject(new RunnerError('incompatible_python', 'install Python 3.12'));
    const told: string[] = [];
    const { registry, zip } = await deployStore();
    const discovery = new Discovery({
      ...{ registry, settleMs: 0, lookAgainMs: 0 },
      steps: { open: (...given) => (hasPython ? plainSteps.open(...given) : refused()) },
      onDiscovered: ({ state }) => told.push(state),
      onInvalid: (_, { code }) => told.push(code),
    });
    await copyFile(await zip(), path.join(registry.layout.zips, 'a.zip'));
    for (const _look of ['first', 'second'])
      expect(await discovery.scan()).toMatchObject([{ state: 'invalid' }]);
    hasPython = true;
    expect(await discovery.scan()).toMatchObject([{ state: 'validated' }]);
    expect(told).toEqual(['incompatible_python', 'validated']);
  });

  test('calls a file invalid at once that begins as no zip does, and waits for one that may become a zip', async () => {
    const { deployer, registry } = await deployStore();
    const begun = {
      'text.zip': 'this is no zip',
      'empty.zip': '',
      'reserved.zip': '\0'.repeat(99),
      'half.zip': 'PK\x03\x04',
    };
    for (const [name, text] of Object.entries(begun)) {
      await writeFile(path.join(registry.layout.zips, name), text);
    }
    const found = (await deployer.scan()).map(({ path: file, state }) => `${path.basename(file)} ${state}`);
    expect(found).toEqual([
      ...['empty.zip discovered', 'half.zip discovered', 'reserved.zip discovered', 'text.zip invalid'],
    ]);
  });

  test('leaves a zip alone that is being copied, and takes it once it is whole', async () => {
    const { deployer, registry, zip } = await deployStore();
    const bytes = await readFile(await zip());
    const file = path.join(registry.layout.zips, 'growing.zip');
    await writeFile(file, bytes.subarray(0, 900));
    const events: unknown[] = [];
    deployer.on('invalid', (event) => events.push(event));
    expect(await deployer.scan()).toMatchObject([{ state: 'discovered', settling: true }]);
    await appendFile(file, bytes.subarray(900));
    expect(await deployer.scan()).toMatchObject([{ state: 'validated', settling: false }]);
    expect(events).toEqual([]);
  });

  test('goes by either clock: a zip that was seen long enough ago is invalid, also with a time in the future', async () => {
    const { deployer, registry } = await deployStore({ settleMs: 0 });
    const file = path.join(registry.layout.zips, 'half.zip');
    await writeFile(file, 'PK\x03\x04');
    const inAnHour = new Date(Date.now() + 3_600_000);
    await utimes(file, inAnHour, inAnHour);
    expect(await deployer.scan()).toMatchObject([{ state: 'invalid', reason: { code: 'invalid_zip' } }]);
  });

  test('tells of each zip once, in the order of their names, whatever the case of the ending', async () => {
    const { deployer, registry, zip } = await deployStore();
    const events: string[] = [];
    deployer.on('discovered', ({ path: file }) => events.push(path.basename(file)));
    const place = async (name: string, version: string) =>
      copyFile(await zip({ version }), path.join(registry.layout.zips, name));
    await place('c.zip', '3.0.0');
    await place('a.ZIP', '1.0.0');
    await place('b.zip', '2.0.0');
    await place('.hidden.zip', '4.0.0');
    for (const _look of ['first', 'second']) {
      expect((await deployer.scan()).map(({ version }) => version)).toEqual(['1.0.0', '2.0.0', '3.0.0']);
    }
    expect(events).toEqual(['a.ZIP', 'b.zip', 'c.zip']);
  });

  test('tells of a zip again that was removed and put back as it was', async () => {
    const { deployer, registry, zip } = await deployStore();
    const [file, away] = [path.join(registry.layout.zips, 'a.zip'), path.join(registry.layout.root, 'a')];
    await copyFile(await zip(), file);
    const events: unknown[] = [];
    deployer.on('discovered', (event) => events.push(event));
    await deployer.scan();
    await rename(file, away);
    expect(await deployer.scan()).toEqual([]);
    await rename(away, file);
    await deployer.scan();
    expect(events).toHaveLength(2);
  });

  test('a zip whose name or version alone is deployed is not deployed', async () => {
    const { deployer, registry, zip } = await deployStore();
    await deployer.install(await zip({ version: '1.0.0' }));
    await copyFile(await zip({ version: '2.0.0' }), path.join(registry.layout.zips, 'a.zip'));
    await copyFile(await zip({ name: 'other', version: '1.0.0' }), path.join(registry.layout.zips, 'b.zip'));
    const zips = (await deployer.scan()).filter(({ source }) => source === 'zip');
    expect(zips.map(({ state }) => state)).toEqual(['validated', 'validated']);
  });

  test('an unlisted version beside a listed one is invalid, files and locks beside it are nothing', async () => {
    const { deployer, registry, zip } = await deployStore();
    await deployer.install(await zip());
    const parent = path.join(registry.layout.deployedRoot, 'sample');
    await mkdir(path.join(parent, '9'));
    await mkdir(path.join(parent, 'CON'));
    await mkdir(path.join(parent, 'x.lock'));
    await mkdir(path.join(parent, 'x.lock.owner'));
    await writeFile(path.join(parent, 'notes.txt'), '');
    const invalid = (await deployer.scan()).filter(({ state }) => state === 'invalid');
    expect(invalid.map(({ version }) => version).sort()).toEqual(['9', 'CON']);
    for (const one of invalid) {
      expect(one).toMatchObject({
        ...{ source: 'deployed', name: 'sample', settling: false, sizeBytes: 0 },
        reason: { code: 'store_damaged', message: expect.stringContaining('not in the registry') as string },
      });
    }
  });

  test('overlooks hidden files, other endings and folders', async () => {
    const { deployer, registry } = await deployStore();
    await writeFile(path.join(registry.layout.zips, '.sample.zip.part'), '');
    await writeFile(path.join(registry.layout.zips, 'sample.zip.crdownload'), '');
    await mkdir(path.join(registry.layout.zips, 'folder.zip'));
    expect(await deployer.scan()).toEqual([]);
  });

  test('calls a folder invalid that the registry does not list, and a version that is not complete', async () => {
    const { deployer, registry, zip } = await deployStore();
    await deployer.install(await zip());
    await rm(path.join(registry.layout.deployed('sample', '1.0.0'), '.procvision-version.json'));
    await mkdir(path.join(registry.layout.deployedRoot, 'stranger', '9'), { recursive: true });
    expect(await deployer.scan()).toMatchObject([
      { name: 'sample', state: 'invalid', reason: { code: 'store_damaged' } },
      { name: 'stranger', state: 'invalid', reason: { code: 'store_damaged' } },
    ]);
  });
});

describe('watch', () => {
  test('discovers a zip that appears, and installs it when asked to', async () => {
    const { deployer, registry, zip } = await deployStore();
    await using _watch = deployer.watch({ intervalMs: 5, install: true, operator: 'watcher' });
    const discovered = next<DiscoveredPackage>(deployer, 'discovered');
    const installed = next(deployer, 'installed');
    const file = await zip();
    await utimes(file, anHourAgo(), anHourAgo());
    await rename(file, path.join(registry.layout.zips, 'new.zip'));
    expect(await discovered).toMatchObject({ name: 'sample', version: '1.0.0' });
    expect(await installed).toMatchObject({ entry: { name: 'sample', operator: 'watcher' } });
  });

  /** A watched store with these zips, all of them installed; `passed` resolves when each zip was looked at once more. */
  async function watched(versions: string[], options: Parameters<typeof deployStore>[0] = {}) {
    const store = await deployStore({ settleMs: 0, ...options });
    const { deployer, registry, zip } = store;
    const installs: string[] = [];
    deployer.on('installed', ({ entry }) => void installs.push(`${entry.name} ${entry.version}`));
    const put = async (version: string, name = 'sample') => {
      const file = path.join(registry.layout.zips, `${name}-${version}.zip`);
      await copyFile(await zip({ name, version }), `${file}.part`);
      await rename(`${file}.part`, file);
      return file;
    };
    const watch = (host = deployer) => host.watch({ intervalMs: 5, install: true });
    const untilInstalled = (what: string) => expect.poll(() => installs, { timeout: 20_000 }).toContain(what);
    let passes = 0;
    const passed = async () => {
      const version = `${(passes += 1)}.0.0`;
      await put(version, 'z-last'); // zips are looked at by name
      await untilInstalled(`z-last ${version}`);
    };
    const first = watch();
    for (const version of versions) {
      await put(version);
      await untilInstalled(`sample ${version}`);
    }
    const listed = async () => (await registry.list({ name: 'sample' })).map(({ version }) => version);
    return { ...store, installs, put, watch, first, passed, untilInstalled, listed };
  }

  test('does not install again what was uninstalled, until its zip is put there anew', async () => {
    const { deployer, put, first, passed, untilInstalled, installs, listed } = await watched(['1.0.0']);
    await using _watch = first;
    await passed();
    await deployer.uninstall('sample', '1.0.0');
    await passed();
    expect(await listed()).toEqual([]);
    installs.length = 0;
    await put('1.0.0');
    await untilInstalled('sample 1.0.0');
    await passed();
    await deployer.uninstall('sample', '1.0.0');
    await passed();
    expect(await listed()).toEqual([]);
  });

  test('does not install again what a retention rule has pruned: the newest stay', async () => {
    const versions = ['1.0.0', '2.0.0', '3.0.0', '4.0.0'];
    const retention = { keep: 2, automatic: true };
    const { first, passed, installs, listed } = await watched(versions, { retention });
    await using _watch = first;
    await passed();
    await passed();
    expect(installs.filter((one) => one.startsWith('sample'))).toHaveLength(4);
    expect(await listed()).toEqual(['3.0.0', '4.0.0']);
  });

  test('of a host that starts later does not install what was removed before, nor what was replaced, but what it is told to', async () => {
    const { deployer, join, zip, first, watch, passed, listed } = await watched(['1.0.0']);
    await passed();
    await first.close();
    const other = await zip({ files: { 'other.txt': 'x' } });
    await deployer.install(other, { force: true });
    await deployer.uninstall('sample', '1.0.0');
    const host = await join({ settleMs: 0 });
    host.deployer.on('installed', (event) => deployer.emit('installed', event));
    await using _watch = watch(host.deployer);
    await passed();
    await passed();
    expect(await listed()).toEqual([]);
    await deployer.install(other);
    expect(await listed()).toEqual(['1.0.0']);
  });

  test('of a host that starts later installs what was put there anew after it was removed', async () => {
    const { deployer, join, first, put, watch, passed, untilInstalled, installs, listed } = await watched([
      '1.0.0',
    ]);
    await first.close();
    await deployer.uninstall('sample', '1.0.0');
    installs.length = 0;
    await put('1.0.0');
    const host = await join({ settleMs: 0 });
    host.deployer.on('installed', (event) => deployer.emit('installed', event));
    await using _watch = watch(host.deployer);
    await untilInstalled('sample 1.0.0');
    await deployer.uninstall('sample', '1.0.0');
    await passed();
    expect(await listed()).toEqual([]);
  });

  test('takes zips for new ones neither while their folder is away nor when it comes back', async () => {
    const { deployer, registry, first, passed, listed } = await watched(['1.0.0']);
    await using _watch = first;
    await deployer.uninstall('sample', '1.0.0');
    await passed();
    const { zips } = registry.layout;
    await rename(zips, `${zips}-away`);
    await mkdir(zips);
    await passed();
    await rename(path.join(zips, 'z-last-2.0.0.zip'), path.join(`${zips}-away`, 'z-last-2.0.0.zip'));
    await rm(zips, { recursive: true });
    await rename(`${zips}-away`, zips);
    await passed();
    expect(await listed()).toEqual([]);
  });

  test('survives the removal of the folder and sees what comes after it is back', async () => {
    const { deployer, registry, zip } = await deployStore();
    let scans = 0;
    await using _watch = deployer.watch({ intervalMs: 5 });
    await rm(registry.layout.zips, { recursive: true });
    deployer.on('error', () => (scans += 1));
    const file = await zip();
    const discovered = next<DiscoveredPackage>(deployer, 'discovered');
    await mkdir(registry.layout.zips);
    await rename(file, path.join(registry.layout.zips, 'new.zip'));
    expect(await discovered).toMatchObject({ name: 'sample' });
    expect(scans).toBe(0);
  });

  test('tries a package that fails for its own fault once, and again when the file has changed', async () => {
    let attempts = 0;
    const { deployer, registry, zip } = await deployStore({
      steps: {
        ...plainSteps,
        environment: () => {
          attempts += 1;
          return Promise.reject(new RunnerError('install_failed', 'bad wheel'));
        },
      },
    });
    const place = async (version: string) => {
      const file = await zip({ version });
      await utimes(file, anHourAgo(), anHourAgo());
      await renameOver(file, path.join(registry.layout.zips, 'bad.zip'));
    };
    await place('1.0.0');
    const watch = deployer.watch({ intervalMs: 5, install: true });
    expect(await next<InvalidEvent>(deployer, 'invalid')).toMatchObject({ name: 'sample', version: '1.0.0' });
    const scanned = await deployer.scan();
    expect(scanned).toMatchObject([{ state: 'invalid', reason: { code: 'install_failed' } }]);
    await place('1.0.1');
    expect(await next<InvalidEvent>(deployer, 'invalid')).toMatchObject({ version: '1.0.1' });
    await watch[Symbol.asyncDispose]();
    expect(attempts).toBe(2);
  });

  test('ends with close(), and with its own disposal', async () => {
    const { deployer } = await deployStore();
    const watch = deployer.watch({ intervalMs: 5 });
    await watch[Symbol.asyncDispose]();
    deployer.watch({ intervalMs: 5 });
    await deployer.close();
    expect(() => deployer.watch()).toThrow(expect.objectContaining({ code: 'closed' }) as Error);
  });
});
