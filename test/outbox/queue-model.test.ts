import fc from 'fast-check';
import { expect, test } from 'vitest';
import { verifyReceipts, type DueItem, type Lane, type Outbox } from '../../src/outbox/index.js';
import { LANES } from '../../src/outbox/storage/keys.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { facts, openOutbox, pictureOf, resultOf } from './support.js';

type Item = Pick<DueItem, 'index' | 'priority' | 'attempts'> & {
  state: 'waits' | 'settled' | 'aside';
  notBefore: number;
};

type Step =
  | { do: 'record' | 'log' | 'alarm'; count: number }
  | { do: 'acknowledge' | 'retryLater' | 'setAside' | 'settleTwice'; lane: Lane; picked: number[] }
  | { do: 'putBack' | 'retryNow' | 'later' }
  | { do: 'open' };

const lane = fc.constantFrom<Lane>('records', 'pictures');
const picked = fc.array(fc.nat(20), { minLength: 1, maxLength: 8 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('record', 'log', 'alarm'), count: fc.integer({ min: 1, max: 6 }) }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('acknowledge' as const), lane, picked }) },
  fc.record({ do: fc.constantFrom('retryLater', 'setAside', 'settleTwice'), lane, picked }),
  fc.record({ do: fc.constantFrom('putBack', 'retryNow', 'later') }),
  fc.record({ do: fc.constant('open' as const) }),
);

/** What waits, as the port says it: by priority, in the order of the log. */
class Model {
  readonly items: Item[] = [];
  now = Date.UTC(2026, 0, 1);

  add(index: number, priority: Item['priority']): void {
    this.items.push({ index, priority, attempts: 0, state: 'waits', notBefore: 0 });
  }

  due(of: Lane): { items: Pick<Item, 'index' | 'priority' | 'attempts'>[]; retryAt: number | undefined } {
    const due = { items: [] as Item[], retryAt: undefined as number | undefined };
    for (const priority of LANES[of]) {
      for (const item of this.items.filter((one) => one.priority === priority && one.state === 'waits')) {
        if (item.notBefore <= this.now) {
          due.items.push(item);
          continue;
        }
        due.retryAt = Math.min(due.retryAt ?? Infinity, item.notBefore);
        if (of === 'records') break;
      }
    }
    return {
      ...due,
      items: due.items.map(({ index, priority, attempts }) => ({ index, priority, attempts })),
    };
  }

  of(index: number): Item {
    const item = this.items.find((one) => one.index === index);
    if (!item) throw new Error(`no item ${index}`);
    return item;
  }
}

async function run(outbox: Outbox, model: Model, one: Exclude<Step, { do: 'open' }>): Promise<void> {
  switch (one.do) {
    case 'record':
      await Promise.all(
        Array.from({ length: one.count }, async (_, at) => {
          const pictures = at % 2 === 0 ? [pictureOf(`${model.now} ${at}`)] : [];
          const { index } = await outbox.record(resultOf('NG'), { ...facts, pictures });
          model.add(index, 'business');
          if (pictures.length > 0) model.add(index + 1, 'ngPictures');
        }),
      );
      model.items.sort((a, b) => a.index - b.index);
      return;
    case 'log':
    case 'alarm':
      for (let at = 0; at < one.count; at++) {
        const { index } = await outbox.note(one.do, { at });
        model.add(index, one.do === 'log' ? 'diagnostics' : 'health');
      }
      return;
    case 'putBack': {
      const aside = model.items.filter(({ state }) => state === 'aside');
      await outbox.queue.putBack(aside.map(({ index }) => index));
      for (const item of aside) Object.assign(item, { state: 'waits', attempts: 0, notBefore: 0 });
      return;
    }
    case 'retryNow':
      await outbox.queue.retryNow();
      for (const item of model.items) item.notBefore = 0;
      return;
    case 'later':
      model.now += 120_000;
      return;
    default: {
      const { items } = await outbox.queue.due(one.lane, { limit: 1_000 });
      const some = items.filter((_, at) => one.picked.includes(at));
      if (some.length > 0) await settle(outbox, model, one.do, some);
    }
  }
}

async function settle(
  { queue }: Outbox,
  model: Model,
  how: 'acknowledge' | 'retryLater' | 'setAside' | 'settleTwice',
  some: DueItem[],
): Promise<void> {
  const all = some.map(({ index }) => model.of(index));
  switch (how) {
    case 'acknowledge':
      await queue.acknowledge(some);
      for (const item of all) item.state = 'settled';
      return;
    case 'settleTwice': // in one batch: what comes second finds nothing that waits
      await Promise.all([
        queue.acknowledge(some),
        queue.retryLater(some, model.now + 300_000),
        queue.acknowledge(some),
      ]);
      for (const item of all) item.state = 'settled';
      return;
    case 'retryLater':
      await queue.retryLater(some, model.now + 300_000);
      for (const item of all)
        Object.assign(item, { attempts: item.attempts + 1, notBefore: model.now + 300_000 });
      return;
    case 'setAside':
      for (const item of some) await queue.setAside(item, 'refused');
      for (const item of all) item.state = 'aside';
  }
}

test(
  'after any order of deliveries, retries, refusals, restarts and removals, what waits is what was not delivered, in order',
  { timeout: 600_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
        const model = new Model();
        const options = { retentionDays: 0, now: () => model.now };
        const folder = await temporaryFolder();
        let outbox = await openOutbox(folder, options);
        await run(outbox, model, { do: 'record', count: 2 });
        for (const one of steps) {
          if (one.do === 'open') {
            await outbox.close();
            outbox = await openOutbox(folder, options);
          } else await run(outbox, model, one);
          for (const of of ['records', 'pictures'] as const) {
            const { items, retryAt } = await outbox.queue.due(of, { limit: 1_000 });
            const found = items.map(({ index, priority, attempts }) => ({ index, priority, attempts }));
            expect({ items: found, retryAt }).toEqual(model.due(of));
          }
        }
        const aside = model.items.filter(({ state }) => state === 'aside').map(({ index }) => index);
        expect((await outbox.queue.aside()).map(({ index }) => index)).toEqual(aside);
        await outbox.close();
        expect((await verifyReceipts(folder)).faults).toEqual([]);
      }),
      { numRuns: Number(process.env.OUTBOX_MODEL_RUNS ?? '8') },
    );
  },
);
