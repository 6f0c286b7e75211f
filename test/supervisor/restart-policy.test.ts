import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import {
  RestartPolicy,
  type RestartDecision,
  type RestartOptions,
} from '../../src/supervisor/pool/restart-policy.js';

const options: RestartOptions = {
  maxRestarts: 3,
  maxCrashes: 5,
  crashWindowMs: 60_000,
  backoffMs: 200,
  maxBackoffMs: 10_000,
  backoffJitter: 0.5,
  coolDownMs: 30_000,
};

const policyOf = (o: Partial<RestartOptions> = {}, random = () => 0) =>
  new RestartPolicy({ ...options, ...o }, random);

test('a first failure is followed by a restart at once, the next ones by twice the delay each', () => {
  const policy = policyOf({ maxCrashes: 100, maxRestarts: 10, maxBackoffMs: 1_000 });
  const delays = Array.from({ length: 6 }, (_, index) => {
    const decision = policy.failed(0, index);
    return decision.kind === 'restart' ? decision.delayMs : NaN;
  });
  expect(delays).toEqual([0, 200, 400, 800, 1_000, 1_000]);
});

test('jitter takes up to its share off the delay', () => {
  const policy = policyOf({}, () => 0.5);
  policy.failed(0, 0);
  expect(policy.failed(0, 1)).toMatchObject({ delayMs: 200 * (1 - 0.5 * 0.5) });
});

test('the fourth failure in a row of one place opens the circuit: three tries were made', () => {
  const policy = policyOf();
  const kinds = [0, 1, 2, 3].map((at) => policy.failed(0, at).kind);
  expect(kinds).toEqual(['restart', 'restart', 'restart', 'open']);
  expect(policy.state).toBe('open');
});

test('a worker that proves itself between its failures is restarted at once each time, until five in a minute', () => {
  const policy = policyOf();
  const decisions = [0, 14_000, 28_000, 42_000, 59_999].map((at) => {
    const decision = policy.failed(0, at);
    policy.proven(0);
    return decision;
  });
  expect(decisions.slice(0, 4)).toEqual(Array(4).fill({ kind: 'restart', delayMs: 0, attempt: 1 }));
  expect(decisions[4]).toEqual({ kind: 'open', coolDownMs: 30_000, reason: 'crashes' });
});

test('five failures in a minute and a millisecond leave the circuit closed', () => {
  const policy = policyOf();
  for (const at of [0, 15_000, 30_000, 45_000, 60_000]) {
    expect(policy.failed(0, at).kind).toBe('restart');
    policy.proven(0);
  }
});

test('failures of different places count together for the window and apart for the row', () => {
  const policy = policyOf();
  const kinds = [0, 1, 2, 3, 4].map((place) => policy.failed(place, place));
  expect(kinds.slice(0, 4).every((decision) => decision.kind === 'restart' && decision.delayMs === 0)).toBe(
    true,
  );
  expect(kinds[4]?.kind).toBe('open');
});

describe('the open circuit', () => {
  const opened = () => {
    const policy = policyOf({ maxCrashes: 1 });
    policy.failed(0, 1_000);
    return policy;
  };

  test('lets one probe through when it has cooled down, and not a millisecond before', () => {
    const policy = opened();
    expect(policy.probeAt).toBe(31_000);
    expect(policy.probe(30_999)).toBe(false);
    expect(policy.probe(31_000)).toBe(true);
    expect(policy.probe(31_000)).toBe(false);
    expect(policy.state).toBe('half-open');
  });

  test('closes when the probe proves itself, with nothing remembered', () => {
    const policy = opened();
    policy.probe(31_000);
    expect(policy.proven(0)).toBe(true);
    expect(policy.state).toBe('closed');
  });

  test('opens again when the probe fails, for another cool-down', () => {
    const policy = opened();
    policy.probe(31_000);
    expect(policy.failed(0, 32_000)).toEqual({ kind: 'open', coolDownMs: 30_000, reason: 'probation' });
    expect(policy.probeAt).toBe(62_000);
  });

  test('is not closed by a worker that answers while it is open', () => {
    const policy = opened();
    expect(policy.proven(1)).toBe(false);
    expect(policy.state).toBe('open');
  });

  test('closes by hand', () => {
    const policy = opened();
    policy.reset();
    expect(policy.state).toBe('closed');
    expect(policyOf().failed(0, 0)).toMatchObject({ kind: 'restart', delayMs: 0 });
  });
});

test('the fourth failure in a row says restarts as the reason, the fifth in a minute crashes', () => {
  const reasonOf = (policy: RestartPolicy, places: number[]) =>
    places.map((place, at) => policy.failed(place, at)).at(-1);
  expect(reasonOf(policyOf(), [0, 0, 0, 0])).toEqual({
    kind: 'open',
    coolDownMs: 30_000,
    reason: 'restarts',
  });
  expect(reasonOf(policyOf(), [0, 1, 2, 3, 4])).toEqual({
    kind: 'open',
    coolDownMs: 30_000,
    reason: 'crashes',
  });
});

test('crashes in one call count once, those in other calls and in none each', () => {
  const policy = policyOf({ maxCrashes: 3 });
  const kinds = ['a', 'a', 'a', 'b', undefined].map(
    (call, place) => policy.failed(place, 0, call === undefined ? {} : { calls: [call] }).kind,
  );
  expect(kinds).toEqual(['restart', 'restart', 'restart', 'restart', 'open']);
  const without = policyOf({ maxCrashes: 3 });
  expect([0, 1, 2].map((place) => without.failed(place, 0).kind)).toEqual(['restart', 'restart', 'open']);
  const back = policyOf({ maxCrashes: 3 });
  const calls = ['a', 'b', 'a'].map((call, place) => back.failed(place, 0, { calls: [call] }).kind);
  expect(calls).toEqual(['restart', 'restart', 'restart']);
});

test('while other workers stand the circuit stays closed, and the place is tried again after the longest wait', () => {
  const policy = policyOf({ maxCrashes: 1 });
  expect(policy.failed(0, 0, { isServed: true })).toEqual({ kind: 'restart', delayMs: 10_000, attempt: 1 });
  expect(policy.state).toBe('closed');
});

test('a worker that proves itself closes no circuit that is closed', () => {
  expect(policyOf().proven(0)).toBe(false);
});

test('the failure that opened the circuit is its cause until it is closed', () => {
  const policy = policyOf({ maxCrashes: 1 });
  const error = new RunnerError('closed', 'ended');
  expect(policy.cause).toBeUndefined();
  policy.failed(0, 0, { error });
  expect(policy.cause).toBe(error);
  expect(policy.failed(0, 1)).toEqual({ kind: 'open', coolDownMs: 30_000, reason: 'crashes' });
  expect(policy.cause).toBe(error);
  policy.reset();
  expect(policy.cause).toBeUndefined();
});

/** What can befall a policy, and how long after the last event. */
interface Step {
  waitMs: number;
  place: number;
  what: 'fail' | 'prove' | 'probe' | 'reset';
}

/** The rules again, from the whole history each time: slow, and obvious. */
class Oracle {
  readonly #o: RestartOptions;
  readonly #history: { at: number; place: number; what: string }[] = [];
  state: 'closed' | 'open' | 'half-open' = 'closed';
  #openedAt = 0;
  /** History before this is forgotten. */
  #from = 0;

  constructor(o: RestartOptions) {
    this.#o = o;
  }

  failed(place: number, at: number): { kind: 'restart'; tries: number } | { kind: 'open' } {
    if (this.state !== 'closed') {
      if (this.state === 'half-open') this.#openedAt = at;
      this.state = 'open';
      return { kind: 'open' };
    }
    this.#history.push({ at, place, what: 'fail' });
    const known = this.#history.slice(this.#from);
    const inWindow = known.filter((e) => e.what === 'fail' && at - e.at < this.#o.crashWindowMs).length;
    const own = known.filter((e) => e.place === place);
    const tries = own.length - 1 - own.findLastIndex((e) => e.what === 'prove');
    if (inWindow < this.#o.maxCrashes && tries <= this.#o.maxRestarts) return { kind: 'restart', tries };
    this.state = 'open';
    this.#openedAt = at;
    this.#from = this.#history.length;
    return { kind: 'open' };
  }

  proven(place: number, at: number): void {
    if (this.state === 'half-open') this.reset();
    else if (this.state === 'closed') this.#history.push({ at, place, what: 'prove' });
  }

  probe(at: number): boolean {
    if (this.state !== 'open' || at < this.#openedAt + this.#o.coolDownMs) return false;
    this.state = 'half-open';
    return true;
  }

  reset(): void {
    this.state = 'closed';
    this.#from = this.#history.length;
  }
}

const step: fc.Arbitrary<Step> = fc.record({
  // Around the borders of window and cool-down as well as far from them.
  waitMs: fc.oneof(fc.constantFrom(0, 1, 11_999, 12_000, 15_000, 30_000, 60_000), fc.nat(70_000)),
  place: fc.nat(2),
  what: fc.constantFrom('fail', 'fail', 'fail', 'prove', 'probe', 'reset'),
});

const runs = Number(process.env.RESTART_SCHEDULES ?? 100_000);

test(`over ${runs} random schedules every decision is the one the rules give, and every delay within its bounds`, () => {
  const schedule = fc.tuple(
    fc.record({
      maxRestarts: fc.integer({ min: 0, max: 4 }),
      maxCrashes: fc.integer({ min: 1, max: 6 }),
      backoffJitter: fc.constantFrom(0, 0.5, 1),
    }),
    fc.array(step, { minLength: 1, maxLength: 20 }),
    fc.nat(999),
  );
  let opened = 0;
  let delayed = 0;
  fc.assert(
    fc.property(schedule, ([given, steps, seed]) => {
      const o = { ...options, ...given };
      const policy = new RestartPolicy(o, () => seed / 1_000);
      const oracle = new Oracle(o);
      let now = 0;
      for (const { waitMs, place, what } of steps) {
        now += waitMs;
        if (what === 'fail') {
          const decision = policy.failed(place, now);
          const expected = oracle.failed(place, now);
          if (decision.kind !== expected.kind) return false;
          if (decision.kind === 'open') opened++;
          if (!isDelayWithin(decision, expected.kind === 'restart' ? expected.tries : 0, o)) return false;
          if (decision.kind === 'restart' && decision.delayMs > 0) delayed++;
        } else if (what === 'prove') {
          policy.proven(place);
          oracle.proven(place, now);
        } else if (what === 'probe') {
          if (policy.probe(now) !== oracle.probe(now)) return false;
        } else {
          policy.reset();
          oracle.reset();
        }
        if (policy.state !== oracle.state) return false;
      }
      return true;
    }),
    { numRuns: runs },
  );
  // The schedules do reach what they are to check.
  expect(opened).toBeGreaterThan(runs / 10);
  expect(delayed).toBeGreaterThan(runs / 10);
});

function isDelayWithin(decision: RestartDecision, tries: number, o: RestartOptions): boolean {
  if (decision.kind === 'open') return decision.coolDownMs === o.coolDownMs;
  if (decision.attempt !== tries) return false;
  if (tries === 1) return decision.delayMs === 0;
  const full = Math.min(o.maxBackoffMs, o.backoffMs * 2 ** (tries - 2));
  return decision.delayMs <= full && decision.delayMs >= full * (1 - o.backoffJitter);
}
