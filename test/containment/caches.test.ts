import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';

const image = { data: new Uint8Array(12).fill(200), width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };
const VARIABLES = ['HOME', 'TMPDIR', 'NUMBA_CACHE_DIR', 'MPLCONFIGDIR', 'XDG_CACHE_HOME'];

describe.runIf(process.platform === 'linux').each(['auto', 'off'] as const)(
  'with namespaces %s',
  (namespaces) => {
    test('five variables lead a worker to a folder that it can write to, and that is gone with it', async () => {
      const policy = { namespaces, resources: { scratchBytes: 2 ** 20 }, env: { XDG_CACHE_HOME: '/given' } };
      const { registry, supervisor } = await openSupervised({ policy });
      const source = steeredAlgorithm({
        extra: `
    def on_step_start(self, *args):
        folders = {name: os.environ[name] for name in ${JSON.stringify(VARIABLES)}}
        for name in list(folders)[:4]:
            with open(os.path.join(folders[name], "file"), "wb") as file:
                file.write(bytes(1000))
        try:
            with open(os.path.join(folders["TMPDIR"], "large"), "wb") as file:
                file.write(bytes(2 << 20))
            folders["large"] = "written"
        except OSError as error:
            folders["large"] = os.strerror(error.errno)
        self.folders = folders

    def on_step_finish(self, *args):
        pass

    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": [], "folders": self.folders}
`,
      });
      await deployVersion(registry, { source });
      await supervisor.execute({ target, stepIndex: 1, image });
      const bounds = supervisor.status()[0]?.workers[0]?.bounds;
      const folder = bounds?.scratch?.folder ?? '';
      const { folders } = await supervisor.info<{ folders: unknown }>('sample', '1.0.0');
      const own = Object.fromEntries(
        VARIABLES.slice(0, 4).map((name) => [name, expect.stringContaining(folder) as string]),
      );
      const isBounded = bounds?.processes === true;
      expect(folders).toEqual({
        ...own,
        XDG_CACHE_HOME: '/given',
        large: isBounded ? 'No space left on device' : 'written',
      });
      expect(bounds?.scratch?.bytes).toBe(isBounded ? 2 ** 20 : null);
      await supervisor.close();
      expect(existsSync(folder)).toBe(false);
    });
  },
);

/** Folder and keeper of a worker that has answered. */
async function workerOf(supervisor: AlgorithmSupervisor): Promise<{ folder: string; keeper: number }> {
  await supervisor.execute({ target, stepIndex: 1, image });
  const { processId: pid, bounds } = supervisor.status()[0]?.workers[0] ?? {};
  const stat = readFileSync(`/proc/${pid ?? 0}/stat`, 'latin1');
  const [, keeper] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { folder: bounds?.scratch?.folder ?? '', keeper: Number(keeper) };
}

test.runIf(process.platform === 'linux')(
  'the folder of a worker whose keeper was killed goes with the next start, that of a worker that lives stays',
  async () => {
    const policy = { namespaces: 'off' as const, maxRestarts: 5, retries: 0 };
    const { registry, supervisor } = await openSupervised({ policy });
    await deployVersion(registry, { source: steeredAlgorithm() });
    await using beside = new AlgorithmSupervisor({ registry, policy });
    const [killed, living] = [await workerOf(supervisor), await workerOf(beside)];
    const exited = new Promise((resolve) => supervisor.once('exit', resolve));
    process.kill(killed.keeper, 'SIGKILL');
    await exited;
    await using last = new AlgorithmSupervisor({ registry, policy });
    const next = await workerOf(last);
    await expect.poll(() => existsSync(killed.folder)).toBe(false);
    expect([living.folder, next.folder].map(existsSync)).toEqual([true, true]);
  },
);
