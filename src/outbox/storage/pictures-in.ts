import { envelopeIn } from './envelope.js';
import { digitOf, LANES, rangeOf } from './keys.js';
import type { RecordStore } from './record-store.js';

/** Digests of the pictures that records name: one for each record. */
export async function* picturesIn(store: RecordStore): AsyncGenerator<string> {
  for (const priority of LANES.pictures) {
    const digit = digitOf(priority);
    const from = store.state.priorities[digit]?.firstKept;
    const starts = [
      from ?? 0,
      ...store.state.stragglers.filter((one) => one.digit === digit).map(({ index }) => index),
    ];
    for await (const [, value] of store.entries(rangeOf(`r${digit}`, Math.min(...starts)))) {
      const { picture } = envelopeIn(value);
      if (picture) yield picture.digest;
    }
  }
}
