/** The longest delay that a timer of Node takes, in milliseconds: about 25 days. A longer one ends at once. */
export const LONGEST_TIMER_MS = 0x7fff_ffff;
