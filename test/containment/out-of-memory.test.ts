import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { bundledScript } from '../support/bundled-script.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';

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
