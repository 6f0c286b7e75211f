import type { CommandSpec, OptionSpec } from './spec.js';

const URL_OPTION: OptionSpec = {
  usage: '--url <address>',
  summary: 'of the station that serves it',
  defaultValue: 'http://127.0.0.1:8080',
};
const TOKEN: OptionSpec = {
  usage: '--token-file <file>',
  summary: 'with the token of the station',
  kind: 'file',
};
const AT = [URL_OPTION, TOKEN];

/** The commands of an outbox: they ask the station that serves it. */
export const OUTBOX_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'outbox status',
    summary: 'what waits for the platform, how the line stands, and what was refused',
    options: AT,
    examples: ['outbox status', 'outbox status --json'],
    details:
      'Exits with 1 while the platform does not take what waits, something was refused, or the disk takes no record.',
    load: () => import('./commands/outbox-status.js'),
  },
  {
    name: 'outbox pause',
    summary: 'send nothing until it is resumed, over a restart too',
    options: AT,
    examples: ['outbox pause'],
    load: () => import('./commands/outbox-pause.js'),
  },
  {
    name: 'outbox resume',
    summary: 'send again',
    options: AT,
    examples: ['outbox resume'],
    load: () => import('./commands/outbox-resume.js'),
  },
  {
    name: 'outbox retry',
    summary: 'try at once what waits for its retry',
    options: [
      ...AT,
      { usage: '--aside', summary: 'also what the platform refused, after its cause was mended' },
    ],
    examples: ['outbox retry', 'outbox retry --aside'],
    load: () => import('./commands/outbox-retry.js'),
  },
  {
    name: 'outbox export',
    summary: 'copy what waits to a folder of the station, such as a stick',
    arguments: [{ usage: '<folder>', summary: 'where to', kind: 'file' }],
    options: [
      ...AT,
      { usage: '--outbox <file>', summary: 'its description, where no station has it open', kind: 'file' },
    ],
    examples: ['outbox export /media/stick/outbox', 'outbox export copy --outbox outbox.json'],
    details: 'Everything stays in the outbox too: a receiver takes each ingest_id once.',
    load: () => import('./commands/outbox-export.js'),
  },
];
