import { systemClock, type Clock } from '../../supervisor/clock.js';

/** Time of an agent. Its timers are monotonic; what the wall says is for windows and for people alone. */
export interface AgentClock extends Clock {
  /** The station's local time. */
  local(): LocalTime;
}

/** Local time, as far as a maintenance window asks for it. */
export interface LocalTime {
  /** 0 is Sunday. */
  day: number;
  /** Minutes since midnight. */
  minute: number;
  /** ISO 8601. */
  iso: string;
}

/** Of this process. */
export const agentClock: AgentClock = {
  ...systemClock,
  local: () => {
    const now = new Date();
    return { day: now.getDay(), minute: now.getHours() * 60 + now.getMinutes(), iso: now.toISOString() };
  },
};
