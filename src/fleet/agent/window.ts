import type { MaintenanceWindow } from '../state.js';
import type { LocalTime } from './clock.js';

/** Whether a window is open. Where it ends before it begins, it goes on into the next day; where both are equal, it is a whole day. */
export function isOpen(
  window: MaintenanceWindow | undefined,
  { day, minute }: Omit<LocalTime, 'iso'>,
): boolean {
  if (!window) return true;
  const [from, to] = [minutesOf(window.from), minutesOf(window.to)];
  const begins = (on: number) => window.days?.includes(on) ?? true;
  if (from < to) return begins(day) && minute >= from && minute < to;
  return (begins(day) && minute >= from) || (begins((day + 6) % 7) && minute < to);
}

function minutesOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}
