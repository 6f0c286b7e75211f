import { jsonObject } from '../flags.js';
import { usage } from '../host.js';
import type { Call } from '../spec.js';
import { findVersion, withRunner } from '../store.js';

const readPolicy = jsonObject('configure', '{"workers": 2}');

export async function run(call: Call): Promise<undefined> {
  const { words, out, options, operator, signal } = call;
  const [name = '', version = '', text] = words;
  const clears = options.clear === true;
  if (clears && text !== undefined) throw usage('configure takes a policy or --clear, not both');
  const policy = text === undefined ? {} : readPolicy(text);
  await withRunner(call, async ({ registry, supervisor }) => {
    await findVersion(registry, name, version);
    const isChange = clears || text !== undefined;
    if (isChange) await supervisor.configure(name, version, policy, { operator, signal });
    const kept = registry.policyOf(name, version) ?? {};
    const shown = Object.keys(kept).length === 0 ? 'no policy of its own' : JSON.stringify(kept, null, 2);
    out.result(kept, `${name} ${version} has ${shown}`);
  });
  return undefined;
}
