import type { Call } from '../spec.js';
import { withRunner } from '../store.js';
import { Progress } from '../terminal/progress.js';

export async function run(call: Call): Promise<undefined> {
  const { words, out, operator, signal, host } = call;
  const [name = '', version = ''] = words;
  await withRunner(call, async ({ deployer }) => {
    const progress = new Progress(host).follow(deployer);
    try {
      const entry = await deployer.restore(name, version, { operator, signal });
      progress.end();
      out.result(entry, `${name} ${version} is deployed again`);
    } finally {
      progress.end();
    }
  });
  return undefined;
}
