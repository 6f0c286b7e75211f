import type { RolloutState } from '../state.js';
import type { WaveTimes } from './gates.js';

interface Tick extends WaveTimes {
  wave: number;
  at: number;
  wasStanding: boolean;
}

/**
 * Times of waves by the controller's own monotonic clock: no time of day is compared with another, so a clock that is off by a day
 * neither ends a wave nor holds it up. What another controller has written down is where the count begins.
 */
export class WaveClock {
  readonly #ticks = new Map<string, Tick>();

  /** Lets time pass for a rollout up to `now`. The soak time counts while the share of accepted stations stood at both ends. */
  advance(rollout: RolloutState, now: number, isStanding: boolean): WaveTimes {
    const before = this.#ticks.get(rollout.rollout);
    const known = before?.wave === rollout.wave ? before : undefined;
    const passed = known ? Math.max(0, now - known.at) : 0;
    const waveMs = (known?.waveMs ?? rollout.wave_ms) + passed;
    const soaked = known ? known.soakedMs + (known.wasStanding ? passed : 0) : rollout.soaked_ms;
    const tick = {
      wave: rollout.wave,
      at: now,
      waveMs,
      soakedMs: isStanding ? soaked : 0,
      wasStanding: isStanding,
    };
    this.#ticks.set(rollout.rollout, tick);
    return tick;
  }

  /** As it stood at the last {@link WaveClock.advance}. */
  timesOf(rollout: RolloutState): WaveTimes {
    const known = this.#ticks.get(rollout.rollout);
    if (known?.wave === rollout.wave) return known;
    return { waveMs: rollout.wave_ms, soakedMs: rollout.soaked_ms };
  }

  /** Begins anew from what is written down: this controller has just begun to act. */
  forget(): void {
    this.#ticks.clear();
  }
}
