import repl, { type REPLServer } from 'node:repl';
import { inspect } from 'node:util';
import type { Runner } from 'procvision-runner';
import type { CliHost } from '../host.js';
import { Progress } from '../terminal/progress.js';
import { formatTable } from '../terminal/table.js';
import { completeQuoted, wordsOf } from './completion.js';
import { helpersOf, HELP } from './helpers.js';
import { onAnswer } from './evaluation.js';
import { LineByLine } from './line-by-line.js';

type Evaluate = REPLServer['eval'];

/** A session over an open runner. `ended` resolves when it is left: whether a line of it failed. */
export async function startRepl(
  runner: Runner,
  host: Pick<CliHost, 'stdin' | 'stdout' | 'stderr' | 'env' | 'cwd'>,
): Promise<{ session: REPLServer; ended: Promise<boolean> }> {
  const { stdin, stdout: output } = host;
  const isTerminal = stdin.isTTY === true;
  const lines = isTerminal ? undefined : new LineByLine(stdin);
  output.write(`The store is ${runner.registry.layout.root}. help() lists what there is.\n`);
  const session = repl.start({
    ...{
      prompt: 'runner> ',
      input: lines?.stream ?? stdin,
      output,
      terminal: isTerminal && output.isTTY === true,
    },
    writer: (value) => show(value, output.isTTY === true),
  });
  const library = await import('procvision-runner');
  const progress = new Progress(host as CliHost).follow(runner.deployer);
  const failures = { any: false };
  awaitAnswers(session, () => {
    progress.end();
  });
  onAnswer(session, (error) => {
    // A line that goes on in the next one is no failure.
    if (error !== null && !(error instanceof repl.Recoverable)) failures.any = true;
  });
  lines?.feed(session);
  completeQuoted(session, () => wordsOf(runner, host.cwd));
  const { registry, deployer, supervisor, validator, venvs, frames } = runner;
  const parts = { runner, registry, deployer, supervisor, validator, venvs, frames };
  Object.assign(session.context, library, parts, helpersOf(runner, host.cwd));
  session.defineCommand('runner', {
    help: 'List the helpers of the runner',
    action: () => void output.write(`${HELP}\n`),
  });
  const ended = new Promise<boolean>((resolve) => {
    session.once('exit', () => {
      resolve(failures.any);
    });
  });
  return { session, ended };
}

/** A line whose value is a promise has what it resolves to as its value: helpers are called without `await`. */
function awaitAnswers(session: REPLServer, done: () => void): void {
  const evaluate: Evaluate = session.eval;
  const awaiting: Evaluate = function (this: REPLServer, code, context, file, answer) {
    evaluate.call(session, code, context, file, (error, value: unknown) => {
      if (error !== null || !(value instanceof Promise)) {
        done();
        answer(error, value);
        return;
      }
      value.then(
        (resolved: unknown) => {
          done();
          answer(null, resolved);
        },
        (failure: unknown) => {
          done();
          answer(failure as Error, undefined);
        },
      );
    });
  };
  Object.assign(session, { eval: awaiting });
}

/** Prints lists of plain objects as tables, strings of the helpers as they are, everything else with `util.inspect`. */
function show(value: unknown, colors: boolean): string {
  if (typeof value === 'string' && value === HELP) return value;
  const isList = Array.isArray(value) && value.length > 0 && value.every(isPlain);
  return isList ? formatTable(value) : inspect(value, { colors, depth: 4 });
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
