import type { Transaction } from './transaction.js';

/**
 * Settles a transaction, once more if that fails: what broke the operation (a full disk, a passing I/O error) may have
 * broken this too. What then remains is for the next `recover`, also one of this process, which does exactly the same.
 *
 * @returns what came of it, `undone` when that could not be found out
 */
export async function settleTwice(transaction: Transaction): Promise<'completed' | 'undone'> {
  try {
    return await transaction.settle();
  } catch {
    return transaction.settle().catch(async () => {
      await transaction.giveUp();
      return 'undone' as const;
    });
  }
}
