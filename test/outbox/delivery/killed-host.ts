/** A station that is killed: records verdicts and delivers them to a platform, and says which records it was promised. */
import { appendFileSync } from 'node:fs';
import path from 'node:path';
import { deliver, Outbox } from '../../../src/outbox/index.js';
import { resultOf } from '../results.js';

const [, , folder = '', url = '', count = '0'] = process.argv;
const promised = path.join(folder, 'promised');
const outbox = await Outbox.open(path.join(folder, 'outbox'), {
  ...{ station: 'ws-1', retentionDays: 0 },
  pictures: { keep: 'none' }, // those that are encoded already are kept
});
const delivery = await deliver(outbox, {
  http: { url },
  ...{ attemptMs: 2_000, leastBackoffMs: 1, mostBackoffMs: 20 },
});
process.stdout.write('ready\n');

/** A few at a time, as on a line with several cameras; every tenth with a picture. */
for (let number = 0; number < Number(count);) {
  const group = Array.from({ length: 5 }, async () => {
    const encoded = Buffer.from(`picture ${process.pid} ${++number}`.padEnd(2_000, '.'));
    const picture = { encoded, contentType: 'image/jpeg', width: 4, height: 3 };
    const { index, ingestId } = await outbox.record(resultOf(number % 10 === 0 ? 'NG' : 'OK'), {
      ...{ productId: 'A01', stepIndex: 1 },
      pictures: number % 10 === 0 ? [picture] : [],
    });
    appendFileSync(promised, `${index} ${ingestId}\n`);
  });
  await Promise.all(group);
}
for (;;) {
  const { due } = await outbox.status();
  if (Object.values(due).every(({ records }) => records === 0)) break;
  await new Promise((resolve) => setTimeout(resolve, 20));
}
await delivery.close();
await outbox.close();
