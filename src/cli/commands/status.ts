import type { Registry, SupervisedStatus } from 'procvision-runner';
import { usage } from '../host.js';
import { askServe, checkAddress } from '../serve/ask.js';
import type { Call } from '../spec.js';
import { withRegistry } from '../store.js';
import { formatShare } from '../terminal/progress.js';
import { formatTable } from '../terminal/table.js';
import { pause } from '../terminal/wait.js';

const EVERY_MS = 1_000;

/** What a host alone knows of a version that it runs. */
type OnTrial = Pick<SupervisedStatus, 'name' | 'version' | 'trial' | 'canary'>;
type Canary = OnTrial['canary'][number];

export async function run(call: Call): Promise<undefined> {
  const { out, options, signal, host } = call;
  const { through, tokenFile } = options as { through?: string; tokenFile?: string };
  if (through !== undefined) checkAddress('--through', through);
  else if (tokenFile !== undefined)
    throw usage('--token-file is for the serve that --through names: give both');
  await withRegistry(call, async (registry) => {
    const lookAgain = async () =>
      look(registry, through === undefined ? undefined : await ask(call, through));
    let shown = await lookAgain();
    if (options.follow !== true) {
      out.table(shown, rowsOf(shown), 'Nothing is deployed');
      return;
    }
    for (let printed = ''; !signal.aborted;) {
      shown = await lookAgain();
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

/** What a running `serve` has on trial. */
function ask(call: Call, through: string): Promise<OnTrial[]> {
  return askServe(call, {
    ...{ address: through, flag: '--through', method: 'GET', path: '/status', what: 'its status' },
    isAnswer: (answer): answer is OnTrial[] => Array.isArray(answer),
  });
}

/**
 * Of each version the product ids that it serves and the live processes that run it, of any host on the store; of those that a
 * host was asked about also what is on trial there.
 */
async function look(registry: Registry, hosted: readonly OnTrial[] | undefined) {
  const mappings = Object.values(await registry.active());
  return Promise.all(
    (await registry.list()).map(async ({ name, version, state }) => {
      const there = hosted?.find((one) => one.name === name && one.version === version);
      return {
        ...{ name, version, state },
        active_for: mappings
          .filter((one) => one.name === name && one.version === version)
          .map(({ pid }) => pid),
        users: (await registry.users(name, version)).map(({ host, pid }) => ({ host, pid })),
        ...(hosted && { trial: there?.trial, canary: there?.canary.map(withoutAge) ?? [] }),
      };
    }),
  );
}

/** Its age is another one at each look: `--follow` shows what has changed. */
function withoutAge({ ageMs: _, ...canary }: Canary): Omit<Canary, 'ageMs'> {
  return canary;
}

function rowsOf(shown: Awaited<ReturnType<typeof look>>): Record<string, unknown>[] {
  return shown.map(({ name, version, state, active_for: active, users, trial, canary = [] }) => ({
    ...{ name, version, state, 'product ids': active.join(' ') || undefined },
    'run by': users.map(({ host, pid }) => `${pid} on ${host}`).join(', ') || undefined,
    'on trial': [...(trial ? [trialText(trial)] : []), ...canary.map(canaryText)].join('; ') || undefined,
    'calls on trial':
      canary.map(({ calls, failures }) => `${calls}, ${failures} failed`).join('; ') || undefined,
  }));
}

function trialText({ productIds, from }: NonNullable<OnTrial['trial']>): string {
  return `${productIds.join(' ')}, else back to ${from.map(({ version }) => version).join(', ')}`;
}

function canaryText({ productIds, share, steps }: Omit<Canary, 'ageMs'>): string {
  return `${formatShare(share)} of ${productIds.join(' ')}, then ${[...steps.map(formatShare), 'all'].join(', ')}`;
}
