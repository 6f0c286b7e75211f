import { RunnerError } from '../errors.js';
import { listed, shown } from '../package/text.js';
import type { CheckList } from './check-list.js';
import type { FoundWheels } from './read-wheels.js';

/** Files that are named; the warning says how many more there are. */
const MOST_NAMED = 20;

/** Tells which files of the wheels run code at every start of the interpreter, or refuses the package for them. */
export function judgeStartup(
  source: { path: string },
  { known, unseen }: FoundWheels,
  policy: 'allow' | 'refuse',
  { checks, warnings }: { checks: CheckList; warnings: string[] },
): void {
  const files = known.flatMap(({ wheel, metadata }) =>
    (metadata?.startup ?? []).map((name) => `${shown(name)} in ${wheel.file}`),
  );
  if (policy === 'refuse') {
    if (files.length > 0) {
      checks.fail('startup_code', refused(source, `run code at every start of Python: ${listed(files)}`));
      return;
    }
    if (unseen.length > 0) {
      const why = `cannot be looked into, being large and compressed once more: ${listed(unseen)}. Store wheels in the zip, or`;
      checks.fail('startup_code', refused(source, why));
      return;
    }
  }
  for (const file of files.slice(0, MOST_NAMED)) {
    warnings.push(`${file} runs code at every start of Python, in the bounds of the trial and of workers`);
  }
  if (files.length > MOST_NAMED) {
    warnings.push(`${files.length - MOST_NAMED} more files run code at every start of Python`);
  }
  checks.pass('startup_code', files.length === 0 ? '' : listed(files));
}

function refused({ path }: { path: string }, what: string): RunnerError {
  const remedy = what.endsWith('or') ? '' : '. Take these wheels out, or';
  return new RunnerError(
    'invalid_zip',
    `${path}: wheels ${what}${remedy} set startupCode to 'allow' for makers that you trust`,
    { details: { path } },
  );
}
