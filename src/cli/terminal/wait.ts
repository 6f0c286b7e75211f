import type { Call } from '../spec.js';

/** Says why nothing happens, and resolves at Ctrl-C or SIGTERM. */
export async function untilInterrupted(
  { signal, out }: Pick<Call, 'signal' | 'out'>,
  message?: string,
): Promise<void> {
  if (message !== undefined) out.say(message);
  if (signal.aborted) return;
  const alive = setInterval(() => undefined, 2 ** 30); // a promise alone keeps no process running
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
  clearInterval(alive);
}

/** Waits, or until the interrupt. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}
