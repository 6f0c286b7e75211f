import type { Readable } from 'node:stream';
import type { OperationOptions } from '../../abort.js';
import type { Registry } from '../../registry/registry.js';
import { Transaction } from '../transaction/transaction.js';
import { receiveUpload } from './upload.js';

/**
 * Receives an upload for as long as `work` needs it. It is in the folder of uploads to be installed: if this process
 * dies, the next recovery removes it.
 *
 * `idleMs` is the longest time without a byte.
 *
 * @throws RunnerError `install_failed` when the stream fails, `store_failed` when the disk does, `timeout`, `aborted`, and what
 * `work` throws
 */
export async function withReceivedUpload<T>(
  registry: Registry,
  source: Readable,
  work: (file: string) => Promise<T>,
  { signal, idleMs }: OperationOptions & { idleMs: number },
): Promise<T> {
  // An error of a stream without a reader would end the process. The reader gets the error later.
  source.on('error', () => undefined);
  const transaction = await Transaction.begin(registry, { operation: 'receive' }, 'none').catch(
    (error: unknown) => {
      source.destroy();
      throw error;
    },
  );
  try {
    await receiveUpload(source, transaction.upload, { signal, idleMs, durability: 'none' });
    return await work(transaction.upload);
  } finally {
    await transaction.discard();
  }
}
