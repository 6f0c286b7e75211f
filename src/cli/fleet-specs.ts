import { DRY_RUN, oneOf, share, wholeNumber } from './flags.js';
import { usage } from './host.js';
import type { CommandSpec, OptionSpec } from './spec.js';
import { FLEET } from './fleet/connect.js';

const REASON: OptionSpec = { usage: '--reason <text>', summary: 'why, for those who see it' };
const ROLLOUT = { usage: '<rollout>', summary: 'id of a rollout, as `fleet status` shows it' };
const LONGEST_MS = 2 ** 31 - 1;

/** A share above 0, at most 1. */
function wholeShare(flag: string) {
  return (text: string): number => (text === '1' ? 1 : share(flag)(text));
}

/** A number above 0. */
function ratio(flag: string) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && value > 0 && Number.isFinite(value)) return value;
    throw usage(`${flag} takes a number above 0, not ${text}`);
  };
}

/** The commands of an operator of a fleet. */
export const FLEET_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'fleet status',
    summary: 'what each station runs, and where each rollout stands with its gates',
    options: [FLEET, { usage: '--follow', summary: 'show it again when it changes, until Ctrl-C' }],
    examples: ['fleet status', 'fleet status --fleet plant-7.json --json'],
    details:
      'Stations that cannot be reached are named by the controller that acts; without one, every station that has ever reported counts\n' +
      'as reachable. Times of reports are by the clock of the station.',
    isService: true,
    load: () => import('./commands/fleet-status.js'),
  },
  {
    name: 'fleet group',
    summary: 'set a group of stations that move together',
    arguments: [
      { usage: '<group>', summary: 'its name' },
      { usage: '<stations...>', summary: 'names of its stations, in the order in which waves take them' },
    ],
    options: [
      FLEET,
      {
        usage: '--window <from-to>',
        summary: 'when they may switch, in their local time: 22:00-05:30 (any time)',
      },
      { usage: '--days <days>', summary: 'days on which the window begins, 0 for Sunday: 1,2,3 (every day)' },
      { usage: '--max-unavailable <most>', summary: 'stations on the way at a time: 2, or 10% (all)' },
    ],
    examples: [
      'fleet group east s1 s2 s3 s4',
      'fleet group east s1 s2 s3 --window 22:00-05:30 --max-unavailable 1',
    ],
    load: () => import('./commands/fleet-group.js'),
  },
  {
    name: 'fleet rollout',
    summary: 'take a version from wave to wave',
    arguments: [
      { usage: '<name>', summary: 'name of the package' },
      { usage: '<version>', summary: 'its version' },
      {
        usage: '[ids...]',
        summary: 'product ids (those of each station that the package serves)',
        kind: 'id',
      },
    ],
    options: [
      FLEET,
      {
        usage: '--package <file>',
        summary: 'the package: its digest and size are read from it',
        kind: 'file',
      },
      { usage: '--digest <hex>', summary: 'its canonical digest, where the package is not here' },
      { usage: '--source <url>', summary: 'where stations fetch it (again for more)', isRepeated: true },
      {
        usage: '--wave <wave>',
        summary:
          'a group, a share of one, or stations: east, east:10%, station:s1,s2 (again for more, in order)',
        isRepeated: true,
      },
      {
        usage: '--accepted <share>',
        summary: 'share of reachable stations that must accept (1)',
        parse: wholeShare('--accepted'),
      },
      { usage: '--failed <share>', summary: 'share that may fail (1 - accepted)', parse: share('--failed') },
      { usage: '--errors', summary: 'sequential test of failed calls' },
      {
        usage: '--acceptable <share>',
        summary: 'that test: failed calls of a good version (0.01)',
        parse: share('--acceptable'),
      },
      {
        usage: '--rejectable <share>',
        summary: 'that test: failed calls of a bad version (0.1)',
        parse: share('--rejectable'),
      },
      { usage: '--drift <share>', summary: 'how far the share of NG may move', parse: share('--drift') },
      {
        usage: '--latency <ratio>',
        summary: 'median latency over that of the version before',
        parse: ratio('--latency'),
      },
      {
        usage: '--min-calls <n>',
        summary: 'calls before drift and latency are compared (100)',
        parse: wholeNumber('--min-calls', 1),
      },
      {
        usage: '--soak <ms>',
        summary: 'time that a wave must stand (0)',
        parse: wholeNumber('--soak', 0, LONGEST_MS),
      },
      {
        usage: '--deadline <ms>',
        summary: 'time in which a wave must pass (none)',
        parse: wholeNumber('--deadline', 1, LONGEST_MS),
      },
      { usage: '--approval', summary: 'wait for `fleet approve` between waves' },
      {
        usage: '--on-failure <back|halt>',
        summary: 'what a gate that fails does: the way back for all, or a stop (back)',
        parse: oneOf('--on-failure', 'back', 'halt'),
      },
      { usage: '--id <id>', summary: 'its id (name, version and a number)' },
      DRY_RUN,
    ],
    examples: [
      'fleet rollout board-check 1.1.0 --package board-check-v1.1.0-offline.zip --wave east:10% --wave east --wave west --dry-run',
      'fleet rollout board-check 1.1.0 BOARD-7 --digest 3b1f… --wave station:s1 --wave east --soak 3600000 --drift 0.02 --approval',
    ],
    details: 'A dry run says what would move where and how many bytes at most, and writes nothing.',
    load: () => import('./commands/fleet-rollout.js'),
  },
  {
    name: 'fleet approve',
    summary: 'let the wave of a rollout pass that waits for approval',
    arguments: [ROLLOUT],
    options: [
      FLEET,
      {
        usage: '--wave <n>',
        summary: 'the wave that was looked at: after the rollout has gone on nothing is approved',
        parse: wholeNumber('--wave', 1),
      },
    ],
    examples: ['fleet approve board-check-1.1.0-1', 'fleet approve board-check-1.1.0-1 --wave 1'],
    load: () => import('./commands/fleet-approve.js'),
  },
  {
    name: 'fleet halt',
    summary: 'stop a rollout, or all of them: no further station is moved',
    arguments: [{ ...ROLLOUT, usage: '[rollout]' }],
    options: [FLEET, REASON],
    examples: ['fleet halt', 'fleet halt board-check-1.1.0-1 --reason "night shift"'],
    details: 'Stations stay where they are. A rollout that was halted is not begun again: order a new one.',
    load: () => import('./commands/fleet-halt.js'),
  },
  {
    name: 'fleet back',
    summary: 'the way back for all: bar a version, or that of a rollout',
    arguments: [
      { usage: '<what>', summary: 'id of a rollout, or the name of a package' },
      { usage: '[version]', summary: 'version of the package' },
    ],
    options: [FLEET, REASON, { usage: '--lift', summary: 'take the bar from the version instead' }],
    examples: [
      'fleet back board-check-1.1.0-1',
      'fleet back board-check 1.1.0 --reason "scratches missed"',
      'fleet back board-check 1.1.0 --lift',
    ],
    details:
      'Each station that serves the version goes back at once: neither its window nor a lock is waited for.',
    load: () => import('./commands/fleet-back.js'),
  },
  {
    name: 'fleet logs',
    summary: 'what stations and controllers did',
    arguments: [{ usage: '[station]', summary: 'of this station alone' }],
    options: [
      FLEET,
      {
        usage: '--lines <n>',
        summary: 'events from the end',
        parse: wholeNumber('--lines', 1, 10_000),
        defaultValue: 50,
      },
      { usage: '--follow', summary: 'go on until Ctrl-C' },
    ],
    examples: ['fleet logs', 'fleet logs s1 --follow'],
    isService: true,
    load: () => import('./commands/fleet-logs.js'),
  },
  {
    name: 'fleet rebuild',
    summary: 'make a bucket anew, after it was wiped, of what stations report',
    options: [FLEET, DRY_RUN],
    examples: ['fleet rebuild --dry-run', 'fleet rebuild'],
    details:
      'Nothing moves by it: each desired state is what the station serves, and what any station has quarantined is barred again. Groups\n' +
      'and rollouts are not in reports: write and order them again.',
    load: () => import('./commands/fleet-rebuild.js'),
  },
  {
    name: 'fleet control',
    summary: 'run a controller, until Ctrl-C; any number may run, and one of them acts',
    options: [FLEET],
    examples: ['fleet control', 'fleet control --fleet plant-7.json --json'],
    isService: true,
    load: () => import('./commands/fleet-control.js'),
  },
];
