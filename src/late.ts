/**
 * Something that is made at its first use, once. What the library's classes work with is loaded by this: a host that
 * imports them all and uses one is not to wait for the code of the others.
 */
export class Late<T> {
  readonly #make: () => Promise<T>;
  #making: Promise<T> | undefined;
  #made: T | undefined;

  constructor(make: () => Promise<T>) {
    this.#make = make;
  }

  /** What was made, once it is. */
  get made(): T | undefined {
    return this.#made;
  }

  /** The making of it, once that has begun. */
  get begun(): Promise<T> | undefined {
    return this.#making;
  }

  /** Makes it, unless that was done or is under way. */
  get(): Promise<T> {
    return (this.#making ??= this.#make().then(
      (made) => (this.#made = made),
      (error: unknown) => {
        this.#making = undefined; // what stood in the way may be gone the next time
        throw error;
      },
    ));
  }
}
