import type { ActiveMapping, AlgorithmSupervisor } from 'procvision-runner';
import { usage } from '../host.js';
import { askServe, checkAddress } from '../serve/ask.js';
import type { Call } from '../spec.js';
import { checkSupported, findVersion, withRegistry } from '../store.js';
import { formatShare } from '../terminal/progress.js';

type SwitchOptions = Parameters<AlgorithmSupervisor['switch']>[0];
type Trial = NonNullable<SwitchOptions['probation']>;
/** What of an order only a host that sees the calls can do. */
type OnHost = Pick<SwitchOptions, 'probation' | 'share' | 'steps'>;

/** The flags that set the sequential test of a trial, and what its options are called. */
const TEST_FLAGS = {
  acceptable: 'acceptableRate',
  rejectable: 'rejectableRate',
  alpha: 'alpha',
  beta: 'beta',
} as const;

/** A switch as the command line asks for it. */
interface Order {
  name: string;
  version: string;
  productIds: string[];
  force: boolean;
}

export async function run({ words: [name = '', version = '', ...ids], ...call }: Call): Promise<undefined> {
  const { out, operator, signal, options } = call;
  const { through } = options as { through?: string };
  const trial = trialOf(options);
  const { share, steps } = options as Pick<OnHost, 'share' | 'steps'>;
  if (steps !== undefined && share === undefined) {
    throw usage('--steps follow a first share: give that with --share, such as --share 0.1');
  }
  const onHost: OnHost = {
    ...(trial && { probation: trial }),
    ...(share !== undefined && { share }),
    ...(steps !== undefined && { steps }),
  };
  if (through === undefined && (Object.keys(onHost).length > 0 || options.tokenFile !== undefined)) {
    throw usage(
      'A trial needs a host that sees the calls: name the address of a running serve with --through, such as --through http://127.0.0.1:8080',
    );
  }
  if (through !== undefined) checkAddress('--through', through);
  await withRegistry({ ...call, words: [] }, async (registry) => {
    const entry = await findVersion(registry, name, version);
    checkSupported(entry, ids);
    const mapped = Object.values(await registry.active());
    const served = mapped.filter((mapping) => mapping.name === name && mapping.version !== version);
    const productIds = ids.length > 0 ? ids : served.map(({ pid }) => pid);
    if (productIds.length === 0) {
      throw usage(`No product id is served by another version of ${name}: switch ${name} ${version} ID…`);
    }
    const order: Order = { name, version, productIds, force: options.force === true };
    const mappings =
      through === undefined
        ? await registry.switch({ ...order, operator, signal })
        : await switchThrough({ ...call, words: [] }, through, { order, onHost });
    const idList = productIds.join(', ');
    out.result(
      mappings,
      share === undefined
        ? `${name} ${version} serves ${idList}${trial ? ', on trial: the version before stays ready' : ''}`
        : `${name} ${version} has ${formatShare(share)} of the calls of ${idList}, on trial: the version that is mapped answers the others`,
    );
  });
  return undefined;
}

/** What the flags say of a trial; undefined where they ask for none. */
function trialOf(options: Call['options']): Trial | undefined {
  const { calls, duration: durationMs } = options as { calls?: number; duration?: number };
  const test = Object.fromEntries(
    Object.entries(TEST_FLAGS).flatMap(([flag, field]) =>
      options[flag] === undefined ? [] : [[field, options[flag] as number]],
    ),
  );
  const isTest = options.test === true || Object.keys(test).length > 0;
  if (options.trial !== true && !isTest && calls === undefined && durationMs === undefined) return undefined;
  if (isTest && calls !== undefined) {
    throw usage('--calls has no effect on a trial that a sequential test decides: leave it out');
  }
  return {
    ...(calls !== undefined && { calls }),
    ...(durationMs !== undefined && { durationMs }),
    ...(isTest && { test }),
  };
}

/** Has a running `serve` make the switch. @throws CliFailure with what it answers */
function switchThrough(
  call: Call,
  through: string,
  { order: { productIds: pids, ...order }, onHost }: { order: Order; onHost: OnHost },
): Promise<ActiveMapping[]> {
  return askServe(call, {
    ...{
      address: through,
      flag: '--through',
      method: 'POST',
      path: '/algorithms/switch',
      what: 'the switch',
    },
    body: { ...order, pids, operator: call.operator, ...onHost },
    isAnswer: (answer): answer is ActiveMapping[] => Array.isArray(answer),
  });
}
