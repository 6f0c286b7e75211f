import os from 'node:os';
import path from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { commandOf, groupIn, groupOf, wordsAfter } from './command-names.js';
import { COMMANDS, GROUPS } from './commands.js';
import { reportFailure, exitCodeOf } from './failure.js';
import { CliFailure, EXIT, usage, type CliHost } from './host.js';
import { nearest } from './nearest.js';
import type { Call, CommandSpec } from './spec.js';
import { Output } from './terminal/output.js';
import { packageVersion } from './version.js';

const PROGRAM = 'procvision-runner';

interface GlobalOptions {
  root: string;
  json?: boolean;
  operator: string;
}

/**
 * Runs one command line to its end, and gives the code to exit with. Nothing of the process itself is touched.
 *
 * @param commands - what there is to run
 */
export async function runCli(
  host: CliHost,
  commands: readonly CommandSpec[] = COMMANDS,
  groups: Readonly<Record<string, string>> = GROUPS,
): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = buildProgram(host, { commands, groups }, async (spec, words, options, globals) => {
    exitCode = await runCommand(spec, words, options, globals, host);
  });
  try {
    if (host.argv[0] === 'complete') {
      const { complete } = await import('./complete.js');
      await complete(host, host.argv.slice(1));
    } else if (host.argv.length === 0) {
      host.stderr.write(program.helpInformation());
      exitCode = EXIT.usage;
    } else {
      await program.parseAsync([...host.argv], { from: 'user' });
    }
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done; // help, version
    const failure = error instanceof CommanderError ? usage(wordsOf(error, host.argv, commands)) : error;
    reportFailure(failure, new Output(host, host.argv.includes('--json')));
    exitCode = exitCodeOf(failure, host.interrupted);
  }
  return exitCode;
}

type Action = (
  spec: CommandSpec,
  words: string[],
  options: Record<string, unknown>,
  globals: GlobalOptions,
) => Promise<void>;

interface Commands {
  commands: readonly CommandSpec[];
  /** Summary of each first word that several commands share. */
  groups: Readonly<Record<string, string>>;
}

function buildProgram(host: CliHost, { commands, groups }: Commands, act: Action): Command {
  const program = new Command(PROGRAM)
    .description('Deploys offline Python vision algorithms and runs them as supervised services.')
    .version(packageVersion(), '-V, --version')
    .option('--root <folder>', 'the store', rootOf(host))
    .option('--json', 'one JSON document on stdout')
    .option('--yes', 'ask nothing')
    .option('--operator <name>', 'who does it, for the audit log', userName())
    .configureHelp({ showGlobalOptions: true, sortOptions: false })
    .configureOutput({
      writeOut: (text) => void host.stdout.write(text),
      writeErr: () => undefined, // failures are reported in one place
      getOutHelpWidth: () => host.stdout.columns ?? 100,
    })
    .exitOverride()
    .showSuggestionAfterError(true)
    .addHelpText(
      'after',
      `\nExamples:\n${examplesOf(['quickstart', 'install board-check.zip --activate', 'run BOARD-7 board.jpg', 'serve'])}
\nExit codes: 0 done, 1 refused or failed, 2 wrong command line, 3 not found, 130 interrupted.`,
    );
  const parents = new Map<string, Command>();
  for (const spec of commands) {
    const group = groupOf(spec.name);
    const parent = group === undefined ? program : (parents.get(group) ?? program.command(group));
    if (group !== undefined && !parents.has(group))
      parents.set(group, parent.description(groups[group] ?? group));
    const command = parent.command(spec.name.split(' ').at(-1) ?? '').description(spec.summary);
    for (const { usage: words, summary } of spec.arguments ?? []) command.argument(words, summary);
    for (const option of spec.options ?? []) command.addOption(optionOf(option));
    const details = spec.details === undefined ? '' : `\n${spec.details}\n`;
    command.addHelpText('after', `${details}\nExamples:\n${examplesOf(spec.examples)}`);
    command.action(async () => {
      const { root, json, operator } = command.optsWithGlobals<GlobalOptions>();
      const options: Record<string, unknown> = { ...command.opts(), yes: program.opts().yes as unknown };
      await act(
        spec,
        command.processedArgs.flat().filter((word) => word !== undefined) as string[],
        options,
        {
          ...{ root, json, operator },
        },
      );
    });
  }
  return program;
}

function optionOf({
  usage: flags,
  summary,
  parse,
  isRepeated,
  defaultValue,
}: NonNullable<CommandSpec['options']>[number]): Option {
  const option = new Option(flags, summary);
  if (defaultValue !== undefined) option.default(defaultValue);
  if (isRepeated) option.argParser((text: string, before: string[] | undefined) => [...(before ?? []), text]);
  else if (parse) option.argParser(parse);
  return option;
}

function examplesOf(lines: readonly string[]): string {
  return lines.map((line) => `  ${line.includes(PROGRAM) ? line : `${PROGRAM} ${line}`}`).join('\n');
}

async function runCommand(
  spec: CommandSpec,
  words: string[],
  options: Record<string, unknown>,
  globals: GlobalOptions,
  host: CliHost,
): Promise<number> {
  const resolve = (relative: string) => path.resolve(host.cwd, relative);
  if (globals.root.trim() === '') throw usage(`--root takes a folder, not '${globals.root}'`);
  const call: Call = {
    ...{ words, options, host, signal: host.interrupted, path: resolve },
    out: new Output(host, globals.json === true),
    root: resolve(globals.root),
    operator: globals.operator,
  };
  const { run } = await spec.load();
  try {
    return (await run(call)) ?? EXIT.done;
  } catch (error) {
    const isService = spec.isService === true && options.once !== true;
    if (!(error instanceof CliFailure) && host.interrupted.aborted && isService) return EXIT.done;
    throw error;
  }
}

/** In one line, as "unknown command 'instal'. Did you mean install?". */
function wordsOf(
  { code, message }: CommanderError,
  argv: readonly string[],
  commands: readonly CommandSpec[],
): string {
  const command = commandOf(argv, commands);
  const group = command ? undefined : groupIn(argv, commands);
  const known = wordsAfter(group, commands);
  if (code === 'commander.help') {
    const asked = argv.filter((word) => !word.startsWith('-') && word !== 'help').at(-1) ?? '';
    if (asked === group) return `${group} takes one of these words: ${known.join(', ')}`;
    const near = nearest(asked, known);
    const hint = near === undefined ? `See ${PROGRAM} --help` : `Did you mean ${near}?`;
    return `there is no help for '${asked}'. ${hint}`;
  }
  const [first = '', ...rest] = message
    .replace(/^error: /, '')
    .replace(/\.+$/, '')
    .split('\n');
  const eaten = code === 'commander.missingArgument' ? takenByOption(argv, command) : undefined;
  if (eaten !== undefined) return `${first}: ${eaten}`;
  const near = /Did you mean (?:one of )?(.+?)\?/.exec(rest.join(' '))?.[1];
  if (near !== undefined) return `${first}. Did you mean ${near}?`;
  const unknown = /unknown (?:command|option) '([^']+)'/.exec(first)?.[1];
  const meant = unknown === undefined ? undefined : nearest(unknown, known);
  if (meant !== undefined && code === 'commander.unknownCommand') return `${first}. Did you mean ${meant}?`;
  const name = command?.name ?? group;
  return `${first}. See ${PROGRAM} ${name === undefined ? '' : `${name} `}--help`;
}

/** An option whose value may be left out takes the word behind it, which was meant as an argument. */
function takenByOption(argv: readonly string[], command: CommandSpec | undefined): string | undefined {
  for (const { usage: flags } of command?.options ?? []) {
    const [flag = '', value = ''] = flags.split(' ');
    const word = argv[argv.indexOf(flag) + 1];
    if (!value.startsWith('[') || !argv.includes(flag) || word === undefined || word.startsWith('-'))
      continue;
    return `${flag} has taken ${word} as its value. Write ${flag} last`;
  }
  return undefined;
}

/** A variable without letters counts as unset: it would lead to the working folder. */
function rootOf({ env: { PROCVISION_ROOT = '' } }: CliHost): string {
  return PROCVISION_ROOT.trim() === '' ? 'station' : PROCVISION_ROOT;
}

function userName(): string {
  try {
    return os.userInfo().username;
  } catch {
    return 'unknown'; // a user without an entry in the system's table
  }
}
