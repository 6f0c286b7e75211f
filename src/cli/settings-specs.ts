import { jsonList, wholeNumber } from './flags.js';
import { NAME, VERSION } from './words.js';
import type { CommandSpec } from './spec.js';

const ID = { usage: '<id>', summary: 'a product id that is active', kind: 'id' } as const;
const CLEAR = { usage: '--clear', summary: 'keep nothing any more' } as const;

/** Commands for what the store keeps beside packages: policies, parameters, guides. */
export const SETTINGS: readonly CommandSpec[] = [
  {
    name: 'configure',
    summary: 'show the policy that is kept for a version, or keep another',
    arguments: [NAME, VERSION, { usage: '[policy]', summary: 'as JSON, in place of what is kept' }],
    options: [CLEAR],
    examples: [
      'configure board-check 1.0.0',
      `configure board-check 1.0.0 '{"workers": 2, "executeTimeoutMs": 5000}'`,
      'configure board-check 1.0.0 --clear',
    ],
    details:
      'The policy of a version comes before that of `serve`. A running `serve` on the same store follows it; what is set up when a\nprocess starts is in force at the next start.',
    load: () => import('./commands/configure.js'),
  },
  {
    name: 'scale',
    summary: 'keep a number of workers for a version',
    arguments: [NAME, VERSION, { usage: '<workers>', summary: 'worker processes, 1 to 1024' }],
    examples: ['scale board-check 1.0.0 4'],
    details:
      'The other options of the policy stay. A running `serve` on the same store starts or ends workers at once.',
    load: () => import('./commands/scale.js'),
  },
  {
    name: 'params',
    summary: 'show the parameters that are kept for a product id, or keep others',
    arguments: [ID, { usage: '[params]', summary: 'as JSON, in place of those that are kept' }],
    options: [CLEAR],
    examples: ['params BOARD-7', `params BOARD-7 '{"tolerance": 30}'`, 'params BOARD-7 --clear'],
    details:
      'They are checked against the schema of the version that serves it. A call gets them where it brings none of that name.',
    load: () => import('./commands/params.js'),
  },
  {
    name: 'guide',
    summary: 'show the picture that those of a product id and step are compared with, or keep another',
    arguments: [
      { ...ID, summary: 'a product id' },
      { usage: '[picture]', summary: 'JPEG or PNG', kind: 'file' },
    ],
    options: [
      {
        usage: '--step <n>',
        summary: 'the step',
        parse: wholeNumber('--step', 0),
        defaultValue: 1,
      },
      {
        usage: '--info <json>',
        summary: 'where to look: [{"label": "…", "posList": [{"x", "y", "width", "height"}]}]',
        parse: jsonList('--info'),
      },
      CLEAR,
    ],
    examples: ['guide BOARD-7 good-board.png', 'guide BOARD-7 --step 2', 'guide BOARD-7 --clear'],
    load: () => import('./commands/guide.js'),
  },
  {
    name: 'types',
    summary: 'TypeScript types of the parameters of a version or package',
    arguments: [
      { usage: '<package>', summary: 'name of a deployed package, or a zip', kind: 'name' },
      { ...VERSION, usage: '[version]' },
    ],
    options: [{ usage: '--out <file>', summary: 'write them there', kind: 'file' }],
    examples: [
      'types board-check 1.0.0 --out board-check.ts',
      'types board-check-v1.0.0-offline.zip',
      'types board-check 1.0.0 --json',
    ],
    details: 'With --json also the JSON Schema of each step, for forms.',
    load: () => import('./commands/types.js'),
  },
];
