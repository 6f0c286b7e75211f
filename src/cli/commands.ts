import {
  AT_ONCE,
  CALL,
  DRY_RUN,
  FORCE,
  oneOf,
  PICTURES,
  TOKEN_FILE,
  wholeNumber,
  WORKER,
  WORKERS,
} from './flags.js';
import { ACCEPT } from './accept-spec.js';
import { OUTBOX_COMMANDS } from './outbox-specs.js';
import { RECEIPTS_VERIFY } from './receipts-spec.js';
import { FLEET_COMMANDS } from './fleet-specs.js';
import { FLEET_SERVER } from './fleet-server-specs.js';
import { SERVE } from './serve-spec.js';
import { SETTINGS } from './settings-specs.js';
import type { CommandSpec } from './spec.js';
import { SWITCH } from './switch-spec.js';
import { IDS, NAME, VERSION } from './words.js';

/** What commands of two words have in common, by their first word. */
export const GROUPS: Readonly<Record<string, string>> = {
  fleet: 'the stations of a plant: what they run, and how a version comes to them',
  outbox: 'what is on its way from the station to the platform',
  receipts: 'what an outbox vouches for: records that were removed, altered, swapped or added',
};

/** Every command, in the order in which help lists them. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'quickstart',
    summary: 'from a package to a verdict in a minute, with pictures that show it',
    options: [
      {
        usage: '--image <file>',
        summary: 'a picture of a good board; a part of it is painted over',
        kind: 'file',
      },
      {
        usage: '--reference <file>',
        summary: 'inspect --image as it is, compared with this picture',
        kind: 'file',
      },
      {
        usage: '--out <folder>',
        summary: 'where store and pictures go',
        defaultValue: '.quickstart',
        kind: 'file',
      },
    ],
    examples: [
      'quickstart',
      'quickstart --image board.jpg',
      'quickstart --image board.jpg --reference good.jpg',
    ],
    load: () => import('./commands/quickstart.js'),
  },
  {
    name: 'init',
    summary: 'begin a package: manifest, algorithm, tests',
    arguments: [
      { usage: '<folder>', summary: 'a new folder; its name becomes that of the package', kind: 'file' },
    ],
    options: [
      {
        usage: '--generation <generation>',
        summary: 'phased (SDK before 0.3) or execute-only (SDK 0.3 and later)',
        parse: oneOf('--generation', 'phased', 'execute-only'),
        defaultValue: 'phased',
      },
      { usage: '--name <name>', summary: 'name of the package, where it is not that of the folder' },
      { usage: '--id <id>', summary: 'a product id that it supports (again for more)', isRepeated: true },
    ],
    examples: ['init board-check --id BOARD-7', 'init board-check --generation execute-only'],
    load: () => import('./commands/init.js'),
  },
  {
    name: 'pack',
    summary: 'make an offline package of a project and its wheels',
    arguments: [{ usage: '[folder]', summary: 'the project (the working folder)', kind: 'file' }],
    options: [
      {
        usage: '--wheels <folder>',
        summary: 'take wheels from this folder (again for more)',
        isRepeated: true,
        kind: 'file',
      },
      { usage: '--index [url]', summary: "take wheels from this index; without a URL from pip's own" },
      {
        usage: '--platform <tag>',
        summary: 'wheels for another platform: manylinux2014_x86_64, win_amd64 (again for more)',
        isRepeated: true,
      },
      { usage: '--python <version>', summary: 'wheels for another Python: 3.10' },
      { usage: '--stand-in-sdk', summary: 'deliver the SDK of the test kit: for trials without an index' },
      { usage: '--out <file>', summary: 'the zip to write (<name>-v<version>-offline.zip)', kind: 'file' },
    ],
    examples: [
      'pack board-check --wheels ~/wheels',
      'pack board-check --index',
      'pack board-check --index https://pypi.example.com/simple --platform win_amd64 --python 3.10',
    ],
    load: () => import('./commands/pack.js'),
  },
  {
    name: 'check',
    summary: 'every fault of a package or project, its trial run included',
    arguments: [{ usage: '<package>', summary: 'a zip, or a project folder', kind: 'file' }],
    options: [
      { usage: '--no-run', summary: 'do not run the algorithm' },
      { usage: '--refuse-startup-code', summary: 'fail wheels that run code at every start of Python' },
      {
        usage: '--boundary-cases <off|warn|fail>',
        summary: 'what a boundary case is that the algorithm does not handle',
        parse: oneOf('--boundary-cases', 'off', 'warn', 'fail'),
        defaultValue: 'warn',
      },
    ],
    examples: ['check board-check-v1.0.0-offline.zip', 'check ./board-check --json'],
    load: () => import('./commands/check.js'),
  },
  {
    name: 'install',
    summary: 'install packages; the same bytes again change nothing',
    arguments: [
      { usage: '<packages...>', summary: 'zips, project folders, or - for a zip on stdin', kind: 'file' },
    ],
    options: [
      {
        usage: '--activate [ids]',
        summary: 'also activate these product ids (A,B); without a value all that it supports',
      },
      FORCE,
    ],
    examples: [
      'install board-check-v1.0.0-offline.zip --activate',
      'install ./board-check --force',
      'install - < board-check.zip',
    ],
    load: () => import('./commands/install.js'),
  },
  {
    name: 'list',
    summary: 'what is deployed',
    arguments: [{ usage: '[name]', summary: 'versions of this package alone', kind: 'name' }],
    examples: ['list', 'list board-check --json'],
    load: () => import('./commands/list.js'),
  },
  {
    name: 'info',
    summary: 'everything about a version, or about a package that is not deployed',
    arguments: [
      { usage: '<package>', summary: 'name of a deployed package, or a zip', kind: 'name' },
      { ...VERSION, usage: '[version]' },
    ],
    examples: ['info board-check 1.0.0', 'info board-check', 'info board-check-v1.0.0-offline.zip'],
    load: () => import('./commands/info.js'),
  },
  {
    name: 'activate',
    summary: 'let a version serve product ids (no id: all that it supports)',
    arguments: [NAME, VERSION, IDS],
    options: [FORCE],
    examples: ['activate board-check 1.0.0', 'activate board-check 1.0.0 BOARD-7 BOARD-8'],
    load: () => import('./commands/activate.js'),
  },
  {
    name: 'deactivate',
    summary: 'let nobody serve product ids any more',
    arguments: [{ ...IDS, usage: '<ids...>' }],
    examples: ['deactivate BOARD-7'],
    load: () => import('./commands/deactivate.js'),
  },
  SWITCH,
  {
    name: 'rollback',
    summary: 'let the version before serve a product id again',
    arguments: [{ ...IDS, usage: '<ids...>' }],
    examples: ['rollback BOARD-7'],
    load: () => import('./commands/rollback.js'),
  },
  {
    name: 'uninstall',
    summary: 'remove a version',
    arguments: [NAME, VERSION],
    options: [
      FORCE,
      { usage: '--also-rollback-targets', summary: 'also a version that a rollback would go back to' },
      DRY_RUN,
    ],
    examples: ['uninstall board-check 1.0.0', 'uninstall board-check 1.0.0 --dry-run'],
    load: () => import('./commands/uninstall.js'),
  },
  {
    name: 'prune',
    summary: 'remove old versions that nobody needs',
    arguments: [{ usage: '[name]', summary: 'versions of this package alone', kind: 'name' }],
    options: [
      {
        usage: '--keep <n>',
        summary: 'versions that are kept of each package',
        parse: wholeNumber('--keep', 0),
        defaultValue: 3,
      },
      { usage: '--archive', summary: 'move them to the archive of the store instead' },
      DRY_RUN,
    ],
    examples: ['prune --dry-run', 'prune board-check --keep 2'],
    load: () => import('./commands/prune.js'),
  },
  {
    name: 'restore',
    summary: 'deploy a version again that prune --archive archived',
    arguments: [NAME, VERSION],
    examples: ['restore board-check 1.0.0'],
    load: () => import('./commands/restore.js'),
  },
  {
    name: 'verify',
    summary: 'compare deployed files with what was installed',
    arguments: [
      { ...NAME, usage: '[name]' },
      { ...VERSION, usage: '[version]' },
    ],
    examples: ['verify', 'verify board-check 1.0.0'],
    details: 'Exits with 1 when a file was changed, removed or added.',
    load: () => import('./commands/verify.js'),
  },
  RECEIPTS_VERIFY,
  {
    name: 'recover',
    summary: 'remove what dead processes left in the store',
    examples: ['recover'],
    load: () => import('./commands/recover.js'),
  },
  {
    name: 'start',
    summary: 'start workers, of a version or of all that is active, until Ctrl-C',
    arguments: [
      { ...NAME, usage: '[name]' },
      { ...VERSION, usage: '[version]' },
    ],
    options: [WORKER, WORKERS, AT_ONCE, { usage: '--once', summary: 'stop them as soon as they are ready' }],
    examples: ['start', 'start board-check 1.0.0 --once'],
    isService: true,
    load: () => import('./commands/start.js'),
  },
  {
    name: 'run',
    summary: 'inspect pictures by a version, or by the version that serves a product id',
    arguments: [
      { usage: '<target>', summary: 'a product id, or a name followed by a version', kind: 'id' },
      { usage: '<pictures...>', summary: 'JPEG or PNG files', kind: 'file' },
    ],
    options: [
      ...CALL,
      {
        usage: '--product-id <id>',
        summary: 'product id that the algorithm is given with NAME VERSION',
        kind: 'id',
      },
      { usage: '--out <folder>', summary: 'write the pictures with boxes and verdict there', kind: 'file' },
      {
        usage: '--timeout <ms>',
        summary: 'longest time of one picture',
        parse: wholeNumber('--timeout', 1, 2 ** 31 - 1),
      },
      ...PICTURES,
      WORKER,
    ],
    examples: [
      'run BOARD-7 board.jpg',
      'run board-check 1.0.0 *.png --out annotated',
      `run BOARD-7 board.jpg --params '{"tolerance": 30}' --json`,
    ],
    details: 'NG is a verdict, not a failure: the exit code is 1 when a picture could not be inspected.',
    load: () => import('./commands/run.js'),
  },
  ACCEPT,
  ...SETTINGS,
  SERVE,
  {
    name: 'watch',
    summary: 'install what is put into zips/, until Ctrl-C',
    options: [
      {
        usage: '--interval <ms>',
        summary: 'time between two looks',
        parse: wholeNumber('--interval', 1, 2 ** 31 - 1),
        defaultValue: 2_000,
      },
      { usage: '--no-install', summary: 'only say what is found' },
    ],
    examples: ['watch', 'watch --no-install --json'],
    details: 'With --json each event is a line of its own.',
    isService: true,
    load: () => import('./commands/watch.js'),
  },
  {
    name: 'logs',
    summary: 'what workers logged, or without a name what was done to the store',
    arguments: [
      { ...NAME, usage: '[name]' },
      { ...VERSION, usage: '[version]' },
    ],
    options: [
      {
        usage: '--lines <n>',
        summary: 'lines from the end',
        parse: wholeNumber('--lines', 0),
        defaultValue: 50,
      },
      { usage: '--follow', summary: 'go on until Ctrl-C' },
    ],
    examples: ['logs', 'logs board-check 1.0.0 --follow'],
    isService: true,
    load: () => import('./commands/logs.js'),
  },
  {
    name: 'status',
    summary: 'which version serves which product id, and which processes run it',
    options: [
      { usage: '--follow', summary: 'show it again when it changes, until Ctrl-C' },
      {
        usage: '--through <url>',
        summary: 'also ask the `serve` at this address what is on trial, and what share of the calls it has',
      },
      TOKEN_FILE,
    ],
    examples: ['status', 'status --follow', 'status --through http://127.0.0.1:8080'],
    details:
      'A trial, and a share of the calls before it, is known to the process that makes it alone: --through names its address.',
    isService: true,
    load: () => import('./commands/status.js'),
  },
  {
    name: 'doctor',
    summary: 'what is wrong with the station, a version or a package, and what to do',
    arguments: [
      {
        usage: '[package]',
        summary: 'name of a deployed package, or a zip; without it the station',
        kind: 'name',
      },
      { ...VERSION, usage: '[version]' },
    ],
    options: [
      { usage: '--fix', summary: 'put right what can be put right without risk' },
      { usage: '--start', summary: 'also start the version once' },
      { usage: '--no-verify', summary: 'do not compare deployed files with what was installed' },
    ],
    examples: [
      'doctor',
      'doctor --fix',
      'doctor board-check 1.0.0 --start',
      'doctor board-check-v1.0.0-offline.zip',
    ],
    details: 'Exits with 1 while there is an error or a warning. docs/doctor.md has every finding.',
    load: () => import('./commands/doctor.js'),
  },
  {
    name: 'repl',
    summary: 'a Node REPL with a runner over the store',
    examples: ['repl', 'echo "packages()" | procvision-runner repl'],
    isService: true,
    load: () => import('./commands/repl.js'),
  },
  ...OUTBOX_COMMANDS,
  ...FLEET_COMMANDS,
  ...FLEET_SERVER,
  {
    name: 'completion',
    summary: 'a script that completes commands, names, versions and product ids',
    arguments: [{ usage: '<shell>', summary: 'bash, zsh or fish', kind: 'shell' }],
    examples: [
      'completion bash >> ~/.bashrc',
      'completion zsh >> ~/.zshrc',
      'completion fish > ~/.config/fish/completions/procvision-runner.fish',
    ],
    load: () => import('./commands/completion.js'),
  },
];
