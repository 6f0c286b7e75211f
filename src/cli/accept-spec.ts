import { CALL, PICTURES, share, wholeNumber, WORKER } from './flags.js';
import type { CommandSpec } from './spec.js';

/** The command that decides whether a version is good enough. */
export const ACCEPT: CommandSpec = {
  name: 'accept',
  summary: 'inspect labelled pictures with a version and decide whether it is good enough',
  arguments: [
    {
      usage: '<folder>',
      summary: 'with the subfolders OK and NG, or a CSV file with the columns file and verdict',
      kind: 'file',
    },
    { usage: '<target>', summary: 'a name followed by a version, or a product id', kind: 'name' },
    { usage: '[version]', summary: 'one of its versions', kind: 'version' },
  ],
  options: [
    {
      usage: '--against <version>',
      summary: 'another version of the package; what changed is listed',
      kind: 'version',
    },
    { usage: '--report <file>', summary: 'write a report in HTML with pictures and boxes', kind: 'file' },
    {
      usage: '--acceptable <share>',
      summary: 'share of wrong verdicts of a good version (0.01)',
      parse: share('--acceptable'),
    },
    {
      usage: '--rejectable <share>',
      summary: 'share of wrong verdicts of a bad version (0.1)',
      parse: share('--rejectable'),
    },
    {
      usage: '--alpha <share>',
      summary: 'how often a good version may be rejected (0.05)',
      parse: share('--alpha'),
    },
    {
      usage: '--beta <share>',
      summary: 'how often a bad version may be accepted (0.05)',
      parse: share('--beta'),
    },
    { usage: '--stop', summary: 'inspect no further picture once it is decided' },
    {
      usage: '--seed <n>',
      summary: 'seed of the random order (1)',
      parse: wholeNumber('--seed', 1, 0xffff_ffff),
    },
    ...CALL,
    { usage: '--product-id <id>', summary: 'product id that the algorithm is given', kind: 'id' },
    {
      usage: '--timeout <ms>',
      summary: 'longest time of one picture',
      parse: wholeNumber('--timeout', 1, 2 ** 31 - 1),
    },
    ...PICTURES,
    WORKER,
  ],
  examples: [
    'accept pictures board-check 1.1.0',
    'accept pictures board-check 1.1.0 --against 1.0.0 --report report.html',
    'accept labels.csv BOARD-7 --acceptable 0.02 --rejectable 0.15 --stop',
  ],
  details:
    'Exits with 0 when the version is accepted, else with 1: rejected, or undecided because the pictures do not suffice.',
  load: () => import('./commands/accept.js'),
};
