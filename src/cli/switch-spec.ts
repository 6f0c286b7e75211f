import { FORCE, share, shares, TOKEN_FILE, wholeNumber } from './flags.js';
import { IDS, NAME, VERSION } from './words.js';
import type { CommandSpec } from './spec.js';

/** The command that moves product ids to another version. */
export const SWITCH: CommandSpec = {
  name: 'switch',
  summary: 'move product ids to another version (no id: all that its other versions serve)',
  arguments: [NAME, VERSION, IDS],
  options: [
    FORCE,
    {
      usage: '--through <url>',
      summary: 'let the `serve` at this address do it: the version is ready before it serves',
    },
    TOKEN_FILE,
    {
      usage: '--share <share>',
      summary: 'share of the calls that the version has at first; the one before answers the others',
      parse: share('--share'),
    },
    {
      usage: '--steps <shares>',
      summary: 'shares that follow, each after a trial, before the version is mapped (those of 0.1,0.25,0.5)',
      parse: shares('--steps'),
    },
    { usage: '--trial', summary: 'put the version on trial; the one before comes back when it fails' },
    {
      usage: '--calls <n>',
      summary: 'calls of the trial (200)',
      parse: wholeNumber('--calls', 1),
    },
    {
      usage: '--duration <ms>',
      summary: 'time of the trial, whichever comes first (60000)',
      parse: wholeNumber('--duration', 1, 2 ** 31 - 1),
    },
    { usage: '--test', summary: 'decide the trial by a sequential test of failed calls' },
    {
      usage: '--acceptable <share>',
      summary: 'the test: share of failed calls of a good version (0.01)',
      parse: share('--acceptable'),
    },
    {
      usage: '--rejectable <share>',
      summary: 'the test: share of failed calls of a bad version (0.1)',
      parse: share('--rejectable'),
    },
    {
      usage: '--alpha <share>',
      summary: 'the test: how often a good version may be taken back (0.05)',
      parse: share('--alpha'),
    },
    {
      usage: '--beta <share>',
      summary: 'the test: how often a bad version may be kept (0.05)',
      parse: share('--beta'),
    },
  ],
  examples: [
    'switch board-check 1.1.0 BOARD-7',
    'switch board-check 1.1.0',
    'switch board-check 1.1.0 BOARD-7 --through http://127.0.0.1:8080 --test --duration 3600000',
    'switch board-check 1.1.0 BOARD-7 --through http://127.0.0.1:8080 --share 0.1 --steps 0.5',
  ],
  details:
    'Without --through a running `serve` on the same store starts the new version at its next call. A trial needs a host that ' +
    'sees the calls: --share, --trial, --test and their numbers need --through.',
  load: () => import('./commands/switch.js'),
};
