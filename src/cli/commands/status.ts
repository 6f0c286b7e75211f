import type { Registry } from 'procvision-runner';
import type { Call } from '../spec.js';
import { withRegistry } from '../store.js';
import { formatTable } from '../terminal/table.js';
import { pause } from '../terminal/wait.js';

const EVERY_MS = 1_000;

export async function run(call: Call): Promise<undefined> {
  const { out, options, signal, host } = call;
  await withRegistry(call, async (registry) => {
    let shown = await look(registry);
    if (options.follow !== true) {
      out.table(shown, rowsOf(shown), 'Nothing is deployed');
      return;
    }
    for (let printed = ''; !signal.aborted;) {
      shown = await look(registry);
      const text = JSON.stringify(shown);
      if (text === printed) {
        await pause(EVERY_MS, signal);
        continue;
      }
      printed = text;
      const clear = host.stdout.isTTY && !out.isJson ? '\u001b[H\u001b[2J' : '';
      out.line(shown, clear + (shown.length > 0 ? formatTable(rowsOf(shown)) : 'Nothing is deployed'));
    }
  });
  return undefined;
}

/** Of each version the product ids that it serves and the live processes that run it, of any host on the store. */
async function look(registry: Registry) {
  const mappings = Object.values(await registry.active());
  return Promise.all(
    (await registry.list()).map(async ({ name, version, state }) => ({
      ...{ name, version, state },
      active_for: mappings
        .filter((one) => one.name === name && one.version === version)
        .map(({ pid }) => pid),
      users: (await registry.users(name, version)).map(({ host, pid }) => ({ host, pid })),
    })),
  );
}

function rowsOf(shown: Awaited<ReturnType<typeof look>>): Record<string, unknown>[] {
  return shown.map(({ name, version, state, active_for: active, users }) => ({
    ...{ name, version, state, 'product ids': active.join(' ') || undefined },
    'run by': users.map(({ host, pid }) => `${pid} on ${host}`).join(', ') || undefined,
  }));
}
