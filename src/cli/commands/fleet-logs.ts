import type { StoredEvent } from 'procvision-runner/fleet';
import { withFleet } from '../fleet/connect.js';
import type { Call } from '../spec.js';
import { pause } from '../terminal/wait.js';

const EVERY_MS = 1_000;
const MOST = 1_000;

export async function run(call: Call): Promise<undefined> {
  const { words, out, signal, options } = call;
  const [station] = words;
  const of = station === undefined ? {} : { station };
  await withFleet(call, async ({ connection }) => {
    const last = await connection.events.read({ ...of, limit: options.lines as number, signal });
    if (options.follow !== true) {
      out.result(last, last.length > 0 ? last.map(textOf).join('\n') : 'Nothing was told yet');
      return;
    }
    for (const event of last) out.line(event, textOf(event));
    let after = last.at(-1)?.sequence ?? 0;
    for (;;) {
      await pause(EVERY_MS, signal);
      if (signal.aborted) return;
      for (const event of await connection.events.read({ ...of, after, limit: MOST, signal })) {
        out.line(event, textOf(event));
        after = event.sequence;
      }
    }
  });
  return undefined;
}

/** Fields of an event as words: what an event has, its writer decides. */
function textOf({ storedAt, subject, body }: StoredEvent): string {
  const fields = typeof body === 'object' && body !== null ? Object.entries(body) : [['', body]];
  const words = fields.map(([key, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return key === '' ? text : `${String(key)}=${text}`;
  });
  return `${storedAt}  ${subject}  ${words.join(' ')}`;
}
