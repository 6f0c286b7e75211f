import { order } from '../outbox/station.js';
import type { Call } from '../spec.js';

export function run(call: Call): Promise<undefined> {
  return order(call, '/outbox/retry', { aside: call.options.aside === true });
}
