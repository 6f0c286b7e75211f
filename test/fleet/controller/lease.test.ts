import { expect, test } from 'vitest';
import { Lease, LEASE_KEY } from '../../../src/fleet/controller/lease.js';
import { BucketInMemory } from '../../support/fleet-bucket.js';

/** Of a controller that has a line of its own unless it is given one. */
function leaseIn(bucket: BucketInMemory, holder: string, values = bucket.connect(holder).values): Lease {
  return new Lease(values, { holder, leaseMs: 3_000, clock: bucket.clock });
}

/** An answer that is on its way until it is let come. */
function lateAnswer() {
  let letCome: () => void = () => undefined;
  const comes = new Promise<void>((resolve) => {
    letCome = resolve;
  });
  return { comes, letCome };
}

test('a renewal that the server lost is no lease, also where its answer comes after the cut', async () => {
  const bucket = new BucketInMemory();
  const late = lateAnswer();
  let isLate = false;
  const { values } = bucket.connect('c1', async ({ op, when }) => {
    if (isLate && op === 'put' && when === 'after') await late.comes;
  });
  const lease = leaseIn(bucket, 'c1', values);
  const loseTheLease = bucket.snapshot();
  expect(await lease.hold(0)).toBe(true);

  isLate = true;
  const renewal = lease.hold(0);
  await bucket.pass(100);
  loseTheLease();
  lease.doubt();
  const other = leaseIn(bucket, 'c2');
  expect(await other.hold(1)).toBe(true);
  late.letCome();

  expect(await renewal).toBe(false);
  expect(lease.term).toBeUndefined();
  isLate = false;
  expect(await lease.hold(1)).toBe(false);
  expect(other.term).toBe(2);
});

test('a creation of a lease whose answer comes after the cut does not count before it is renewed', async () => {
  const bucket = new BucketInMemory();
  const late = lateAnswer();
  const { values } = bucket.connect('c1', async ({ op, key, when }) => {
    if (op === 'put' && key === LEASE_KEY && when === 'after') await late.comes;
  });
  const lease = leaseIn(bucket, 'c1', values);
  const creation = lease.hold(0);
  await bucket.pass(100);
  lease.doubt();
  late.letCome();

  expect(await creation).toBe(false);
  expect(await lease.hold(0)).toBe(true);
});

test('after a cut, the revision of a lost renewal that another holds now is not renewed', async () => {
  const bucket = new BucketInMemory();
  const [first, second] = [leaseIn(bucket, 'c1'), leaseIn(bucket, 'c2')];
  const loseTheLease = bucket.snapshot();
  expect(await first.hold(0)).toBe(true);
  const revision = bucket.read(LEASE_KEY)?.revision;

  loseTheLease();
  first.doubt();
  expect(await second.hold(0)).toBe(true);
  expect(bucket.read(LEASE_KEY)?.revision).toBe(revision);

  expect(await first.hold(0)).toBe(false);
  expect(bucket.read(LEASE_KEY)?.value).toMatchObject({ holder: 'c2' });
  expect(second.term).toBeDefined();
});

test('a lease in doubt is not given back: its revision is that of the lease of another by now', async () => {
  const bucket = new BucketInMemory();
  const [first, second] = [leaseIn(bucket, 'c1'), leaseIn(bucket, 'c2')];
  const loseTheLease = bucket.snapshot();
  expect(await first.hold(0)).toBe(true);
  loseTheLease();
  first.doubt();
  expect(await second.hold(0)).toBe(true);

  await first.release();
  expect(bucket.read(LEASE_KEY)?.value).toMatchObject({ holder: 'c2' });
  expect(await leaseIn(bucket, 'c3').hold(1)).toBe(false);
});

test.each([
  ['renewed', true],
  ['taken', false],
])(
  'a lease that was read before a cut is not %s by the revision of then: another has it by now',
  async (_, isHeld) => {
    const bucket = new BucketInMemory();
    const late: { comes?: Promise<void> } = {};
    const { values } = bucket.connect('c1', async ({ op, key, when }) => {
      if (op === 'get' && key === LEASE_KEY && when === 'after') await late.comes;
    });
    const first = leaseIn(bucket, 'c1', values);
    const loseTheLease = bucket.snapshot();
    expect(await first.hold(0)).toBe(true);
    first.doubt();
    if (!isHeld) first.drop(); // its own lease is in the bucket still
    const answer = lateAnswer();
    late.comes = answer.comes;
    const holding = first.hold(1);
    await bucket.pass(100);
    loseTheLease();
    first.doubt();
    const second = leaseIn(bucket, 'c2');
    expect(await second.hold(1)).toBe(true);
    answer.letCome();

    expect(await holding).toBe(false);
    expect(bucket.read(LEASE_KEY)?.value).toMatchObject({ holder: 'c2' });
  },
);
