/** What switches to a warm version cost the calls around them. Milliseconds. */
export interface DelaySummary {
  warmSwitches: number;
  /** The longest call around a switch, less the longest in as long a stretch right before it: the median of all switches. */
  medianExtraMs: number;
  /** The longest call around any of them… */
  longestWithMs: number;
  /** …and in any of the stretches before them, which has the hiccups of the machine as well. */
  longestWithoutMs: number;
  /** In how many of the switches the longest call was longer than in the stretch before: half, if they cost nothing. */
  longerIn: number;
}

/** Holds the calls around each switch against those right before it. */
export class SwitchDelays {
  readonly #calls: { startedAt: number; endedAt: number }[] = [];
  readonly #switches: { from: number; until: number }[] = [];

  called(startedAt: number, endedAt: number): void {
    this.#calls.push({ startedAt, endedAt });
  }

  /** From when it was asked for until the old version had gone. */
  switched(from: number, until: number): void {
    this.#switches.push({ from, until });
  }

  summary(): DelaySummary {
    const pairs = this.#switches.map(({ from, until }) => ({
      with: this.#longest(from, until),
      // Calls that a switch may have delayed are none of those before it.
      without: this.#longest(from - (until - from), from, from),
    }));
    const extra = pairs.map((pair) => pair.with - pair.without).sort((a, b) => a - b);
    const round = (ms: number) => Math.round(ms * 100) / 100;
    return {
      warmSwitches: pairs.length,
      medianExtraMs: round(extra[extra.length >> 1] ?? 0),
      longestWithMs: round(Math.max(0, ...pairs.map((pair) => pair.with))),
      longestWithoutMs: round(Math.max(0, ...pairs.map((pair) => pair.without))),
      longerIn: extra.filter((ms) => ms > 0).length,
    };
  }

  #longest(from: number, until: number, endedBy = Infinity): number {
    let most = 0;
    for (const { startedAt, endedAt } of this.#calls) {
      if (startedAt <= until && endedAt >= from && endedAt <= endedBy)
        most = Math.max(most, endedAt - startedAt);
    }
    return most;
  }
}
