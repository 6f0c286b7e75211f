import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { abortError, listenForAbort, throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { syncFile, type Durability } from '../../store/atomic-file.js';
import { onStore } from '../../store/store-error.js';
import { writeWhole } from '../../store/write-whole.js';

/** How to receive an upload. */
export interface ReceiveOptions extends OperationOptions {
  durability: Durability;
  /** Longest time without a byte. */
  idleMs: number;
  onBytes?: (receivedBytes: number) => void;
}

const RECEIVING = 'write the upload';

/**
 * Writes a stream to a new file. The stream is destroyed when this fails.
 *
 * @throws RunnerError `install_failed` when the stream fails, `store_failed` when the disk does, `timeout`, `aborted`
 */
export async function receiveUpload(
  source: Readable,
  target: string,
  options: ReceiveOptions,
): Promise<number> {
  const { signal, idleMs, onBytes, durability } = options;
  throwIfAborted(signal, 'upload');
  let received = 0;
  const onAbort = () => {
    if (signal) source.destroy(abortError(signal, 'upload'));
  };
  const idle = setTimeout(() => {
    const message = `The upload stopped: nothing came for ${idleMs} ms after ${received} bytes`;
    source.destroy(new RunnerError('timeout', message, { details: { timeoutMs: idleMs, stage: 'receive' } }));
  }, idleMs);
  if (signal) listenForAbort(signal, onAbort);
  try {
    const handle = await onStore(RECEIVING, () => open(target, 'wx'));
    try {
      for await (const chunk of source as AsyncIterable<Uint8Array | string>) {
        idle.refresh();
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
        await onStore(RECEIVING, () => writeWhole(handle, bytes));
        received += bytes.length;
        onBytes?.(received);
      }
      if (durability === 'full') await onStore(RECEIVING, () => syncFile(handle));
    } finally {
      await onStore(RECEIVING, () => handle.close());
    }
  } catch (error) {
    source.destroy();
    if (RunnerError.is(error)) throw error;
    const message = `The upload broke off after ${received} bytes: ${(error as Error).message}`;
    throw new RunnerError('install_failed', message, { cause: error, details: { stage: 'receive' } });
  } finally {
    clearTimeout(idle);
    signal?.removeEventListener('abort', onAbort);
  }
  return received;
}
