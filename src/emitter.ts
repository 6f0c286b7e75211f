import { EventEmitter } from 'eventemitter3';

/** Events every emitter of the library has. */
export interface CommonEvents {
  /** A listener threw or rejected. The emitter's own work goes on. */
  listenerError: [error: unknown, event: string];
}

/** Names of an emitter's events. */
export type EventName<Events extends object> = EventEmitter.EventNames<Events & CommonEvents>;
/** The function that takes an event's arguments. */
export type EventListenerOf<Events extends object, T extends EventName<Events>> = EventEmitter.EventListener<
  Events & CommonEvents,
  T
>;
type AnyListener = (...args: unknown[]) => unknown;

/**
 * EventEmitter3 whose listeners cannot break the emitter: what a listener throws, or rejects with,
 * becomes a `listenerError` event. (EventEmitter3 lets it propagate into `emit`.)
 */
export class SafeEmitter<Events extends object> extends EventEmitter<Events & CommonEvents> {
  readonly #guards = new WeakMap<AnyListener, Map<unknown, AnyListener>>();
  readonly #originals = new WeakMap<AnyListener, AnyListener>();
  /** What `once` registered for a listener, by event: `off` must find it. */
  readonly #onces = new WeakMap<AnyListener, Map<unknown, Set<AnyListener>>>();

  /** Calls `fn` at each `event`. What it throws or rejects with becomes a `listenerError`. */
  override on<T extends EventName<Events>>(
    event: T,
    fn: EventListenerOf<Events, T>,
    context?: unknown,
  ): this {
    return super.on(event, this.#guard(fn, event) as never, context);
  }

  /** The same as `on()`. */
  override addListener<T extends EventName<Events>>(
    event: T,
    fn: EventListenerOf<Events, T>,
    context?: unknown,
  ): this {
    return this.on(event, fn, context);
  }

  /**
   * Calls `fn` at the next `event` alone, also when a listener emits the event again. (EventEmitter3 goes on through the
   * list that it began with, and calls such a listener a second time.)
   */
  override once<T extends EventName<Events>>(
    event: T,
    fn: EventListenerOf<Events, T>,
    context?: unknown,
  ): this {
    const guarded = this.#guard(fn, event);
    const byEvent = this.#onces.get(fn as AnyListener) ?? new Map<unknown, Set<AnyListener>>();
    const registered = byEvent.get(event) ?? new Set<AnyListener>();
    let isDone = false;
    const once = function (this: unknown, ...args: unknown[]) {
      if (isDone) return;
      isDone = true;
      registered.delete(once);
      guarded.apply(this, args);
    };
    this.#onces.set(fn as AnyListener, byEvent.set(event, registered.add(once)));
    this.#originals.set(once, fn as AnyListener);
    return super.once(event, once as never, context);
  }

  /** Removes a listener; without `fn`, every listener of the event. */
  override off<T extends EventName<Events>>(
    event: T,
    fn?: EventListenerOf<Events, T>,
    context?: unknown,
    once?: boolean,
  ): this {
    const registered = fn && this.#onces.get(fn as AnyListener)?.get(event);
    for (const one of registered ?? []) super.off(event, one as never, context);
    registered?.clear();
    const guarded = fn && (this.#guards.get(fn as AnyListener)?.get(event) ?? fn);
    return super.off(event, guarded as never, context, once);
  }

  /** See `off()`. */
  override removeListener<T extends EventName<Events>>(
    event: T,
    fn?: EventListenerOf<Events, T>,
    context?: unknown,
    once?: boolean,
  ): this {
    return this.off(event, fn, context, once);
  }

  /** The listeners of an event, as they were given. */
  override listeners<T extends EventName<Events>>(event: T): EventListenerOf<Events, T>[] {
    const guarded = super.listeners(event) as AnyListener[];
    return guarded.map((fn) => this.#originals.get(fn) ?? fn) as EventListenerOf<Events, T>[];
  }

  #guard(listener: unknown, event: unknown): AnyListener {
    const fn = listener as AnyListener;
    const byEvent = this.#guards.get(fn) ?? new Map<unknown, AnyListener>();
    const known = byEvent.get(event);
    if (known) return known;
    const failed = (error: unknown) => {
      if (event === 'listenerError') return;
      (this as unknown as EventEmitter<CommonEvents>).emit('listenerError', error, String(event));
    };
    const guarded = function (this: unknown, ...args: unknown[]) {
      try {
        const answer = fn.apply(this, args);
        if (answer instanceof Promise) answer.catch(failed);
      } catch (error) {
        failed(error);
      }
    };
    this.#guards.set(fn, byEvent.set(event, guarded));
    this.#originals.set(guarded, fn);
    return guarded;
  }
}
