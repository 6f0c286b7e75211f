/** Runs `work` over all items, at most `width` at a time. The first failure stops the rest and rejects. */
export async function eachOf<T>(
  items: Iterable<T> | AsyncIterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const failures: unknown[] = [];
  // One at a time: a generator must not be asked again before it has answered.
  let turn: Promise<unknown> = Promise.resolve();
  const next = (): Promise<IteratorResult<T>> => {
    const answer = turn.then(() => iterator.next());
    turn = answer.catch(() => undefined);
    return answer;
  };
  const lane = async (): Promise<void> => {
    while (failures.length === 0) {
      const item = await next();
      if (item.done) return;
      await work(item.value);
    }
  };
  await Promise.all(
    Array.from({ length: width }, () =>
      lane().catch((error: unknown) => {
        failures.push(error);
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
}
