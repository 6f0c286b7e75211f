import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { bundledScript } from '../support/bundled-script.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { NO_MOUNTS } from '../support/mounts.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';

const LIMIT = String(250 * 2 ** 20);
/** Where a cgroup with a limit on memory is made, and its limits, by version (cgroups(7)). */
const VERSIONS: { top: string; controllers?: string; limits: Record<string, string> }[] = [
  {
    top: '/sys/fs/cgroup',
    controllers: 'cgroup.subtree_control',
    limits: { 'memory.max': LIMIT, 'memory.swap.max': '0' },
  },
  { top: '/sys/fs/cgroup/memory', limits: { 'memory.limit_in_bytes': LIMIT } },
];

/** A cgroup of its own with little memory; undefined where this process may make none. Gone when the test ends. */
async function smallGroup(): Promise<string | undefined> {
  for (const { top, controllers, limits } of VERSIONS) {
    if (controllers && !/\bmemory\b/.test(textOf(path.join(top, controllers)))) continue;
    const folder = path.join(top, `procvision-test-${randomUUID()}`);
    try {
      await mkdir(folder);
    } catch {
      continue;
    }
    onTestFinished(() => vi.waitFor(() => rmdir(folder), { timeout: 20_000, interval: 50 })); // busy until all are gone
    for (const [name, value] of Object.entries(limits)) {
      if (existsSync(path.join(folder, name))) await writeFile(path.join(folder, name), value);
    }
    return folder;
  }
  return undefined;
}

function textOf(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

describe.runIf(process.platform === 'linux').each(['auto', 'off'] as const)(
  'with namespaces %s',
  (namespaces) => {
    test('an algorithm that takes more memory than the cgroup has is killed, not its host, and the error says memory', async (t) => {
      const group = await smallGroup();
      if (group === undefined) return t.skip('this process may make no cgroup');
      const { registry } = await openSupervised();
      const source = steeredAlgorithm({
        extra: `
    def on_step_start(self, *args):
        for _ in range(100):
            self.kept.append(bytearray(16 << 20))
`,
      });
      await deployVersion(registry, { source });
      const script = await bundledScript('contained-host.ts');
      const host = [
        process.execPath,
        script,
        registry.layout.root,
        'sample',
        'sdk',
        JSON.stringify({ namespaces }),
      ];
      const join = ['-c', 'echo $$ > "$0" && exec "$@"', path.join(group, 'cgroup.procs'), ...host];
      const { stdout } = await promisify(execFile)('sh', join);
      expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual({
        code: 'worker_exited',
        message: expect.stringContaining('killed by SIGKILL: memory had run out') as string,
      });
    });
  },
);

/** `memory.events` of a cgroup of version 2, as the kernel writes it (cgroup-v2.rst). */
const eventsWith = (kills: number) =>
  `low 0\\nhigh 0\\nmax 41\\noom ${kills}\\noom_kill ${kills}\\noom_group_kill 0\\n`;

/**
 * The kernel of many a test machine has its memory controller in version 1. So the host gets a mount with the files of version
 * 2, as a container sees its own, and the counter is moved while a call runs.
 */
describe.skipIf(NO_MOUNTS)('with a cgroup of version 2 for its own', () => {
  test.each([
    ['a kill that the counter tells of is told as memory', 1, 'killed by SIGKILL: memory had run out'],
    ['a kill without it is not', 0, 'killed by SIGKILL'],
  ])('%s', async (_, kills, told) => {
    const { registry } = await openSupervised();
    const marks = await temporaryFolder();
    const source = steeredAlgorithm({
      extra: `
    def on_step_start(self, *args):
        open(${JSON.stringify(`${marks}/called`)}, "w").close()
        while not os.path.exists(${JSON.stringify(`${marks}/counted`)}):
            time.sleep(0.01)
        os.kill(os.getpid(), 9)
`,
    });
    await deployVersion(registry, { source });
    const script = await bundledScript('contained-host.ts');
    const host = [process.execPath, script, registry.layout.root, 'sample', 'sdk'];
    const counted = `
      mount -t tmpfs tmpfs /sys/fs/cgroup && printf '${eventsWith(0)}' > /sys/fs/cgroup/memory.events || exit 1
      (while [ ! -e "$0/called" ]; do sleep 0.02; done
       printf '${eventsWith(kills)}' > /sys/fs/cgroup/memory.events; touch "$0/counted") &
      exec "$@"`;
    // Without a process namespace the algorithm can send itself the signal: the first process of one is spared it.
    const command = ['-m', 'sh', '-c', counted, marks, ...host, JSON.stringify({ namespaces: 'off' })];
    const { stdout } = await promisify(execFile)('unshare', command);
    const { code, message } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, string>;
    expect(code).toBe('worker_exited');
    expect(message).toContain(told);
    expect(message?.includes('memory had run out')).toBe(kills > 0);
  });
});
