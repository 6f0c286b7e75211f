import { onTestFinished } from 'vitest';
import { Outbox, type InspectionFacts, type OutboxOptions } from '../../src/outbox/index.js';

export { pictureOf, resultOf } from './results.js';

export const facts: InspectionFacts = { productId: 'A01', stepIndex: 1, sessionId: 's1' };

/** An outbox that closes when the test ends. */
export async function openOutbox(folder: string, options: Partial<OutboxOptions> = {}): Promise<Outbox> {
  const outbox = await Outbox.open(folder, { station: 'ws-1', ...options });
  onTestFinished(() => outbox.close());
  return outbox;
}
