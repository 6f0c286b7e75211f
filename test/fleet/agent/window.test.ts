import { expect, test } from 'vitest';
import { isOpen } from '../../../src/fleet/agent/window.js';

const at = (day: number, time: string) => {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return { day, minute: hours * 60 + minutes };
};

test.each([
  ['no window', undefined, 3, '12:00', true],
  ['at its begin', { from: '08:00', to: '09:00' }, 3, '08:00', true],
  ['at its end', { from: '08:00', to: '09:00' }, 3, '09:00', false],
  ['before midnight', { from: '22:00', to: '05:30' }, 3, '23:59', true],
  ['after midnight', { from: '22:00', to: '05:30' }, 4, '05:29', true],
  ['after its end on the next day', { from: '22:00', to: '05:30' }, 4, '05:30', false],
  [
    'after midnight of a night that began on one of its days',
    { from: '22:00', to: '05:30', days: [6] },
    0,
    '01:00',
    true,
  ],
  [
    'after midnight of a night that began on another day',
    { from: '22:00', to: '05:30', days: [0] },
    0,
    '01:00',
    false,
  ],
  ['a day that is none of its days', { from: '08:00', to: '09:00', days: [1, 2] }, 3, '08:30', false],
  ['from equal to to: a whole day', { from: '08:00', to: '08:00' }, 3, '07:59', true],
])('%s', (_, window, day, time, open) => {
  expect(isOpen(window, at(day, time))).toBe(open);
});
