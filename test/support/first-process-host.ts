/** A host that is the first process of its namespace, as in a container without an init: it counts the zombies it is left with. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { writeFile } from 'node:fs/promises';
import { buildPackage, TemporaryStore } from '../../src/testing/index.js';
import { steeredAlgorithm } from './steered-algorithm.js';

function zombies(): number {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
    } catch {
      return false;
    }
  }).length;
}

const DAEMON = 'import subprocess\nsubprocess.Popen(["sleep", "600"], start_new_session=True)';
const store = await TemporaryStore.open();
const zip = path.join(store.folder, 'package.zip');
const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': steeredAlgorithm({ onImport: DAEMON }) };
await writeFile(zip, await buildPackage({ files }));
const deployer = store.deployer();
await deployer.install(zip);
const afterInstall = zombies();
const policy = { namespaces: process.argv[2] === 'off' ? 'off' : 'auto', retries: 0 } as const;
const supervisor = store.supervise({ policy });
const target = { name: 'sample', version: '1.0.0' };
const image = { data: new Uint8Array(12), width: 2, height: 2 };
const ask = (userParams: Record<string, unknown>, timeoutMs?: number) =>
  supervisor.execute({ target, stepIndex: 1, image, userParams, timeoutMs }).then(
    () => 'answered',
    (error: unknown) => (error as { code: string }).code,
  );
const ends = [await ask({}), await ask({ sleep_ms: 60_000 }, 300), await ask({ exit: 3 }), await ask({})];
await supervisor.close();
const afterWorkers = zombies();
await store.close();
process.stdout.write(JSON.stringify({ pid: process.pid, ends, afterInstall, afterWorkers }));
process.exit(0);
