import { wholeNumber } from '../flags.js';
import type { Call } from '../spec.js';
import { findVersion, withRunner } from '../store.js';

const readWorkers = wholeNumber('scale NAME VERSION WORKERS', 1, 1_024);

export async function run(call: Call): Promise<undefined> {
  const { words, out, operator, signal } = call;
  const [name = '', version = '', text = ''] = words;
  const workers = readWorkers(text);
  await withRunner(call, async ({ registry, supervisor }) => {
    await findVersion(registry, name, version);
    const policy = { ...registry.policyOf(name, version), workers };
    await supervisor.configure(name, version, policy, { operator, signal });
    out.result(
      policy,
      `${name} ${version} has ${workers} worker${workers === 1 ? '' : 's'} wherever it runs`,
    );
  });
  return undefined;
}
