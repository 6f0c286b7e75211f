import { RunnerError } from '../../errors.js';
import type { Wheel } from '../../package/types.js';
import { fits, tellingTags } from '../interpreters/tags.js';
import type { Interpreter } from '../types.js';

/** What is known when pip has failed. */
export interface PipFailure {
  /** Everything pip wrote, in order. */
  output: readonly string[];
  exitCode: number | null;
  wheels: readonly Wheel[];
  wheelsFolder: string;
  interpreter: Interpreter;
}

const KEPT_LINES = 40;
/** How pip announces what it takes up. */
const TAKEN_UP = /^\s*(Collecting|Processing) /;
/** The words of the runner's hook, and those that pip has for a git that may not be started. */
const REFUSED = /was refused|No permission to execute/;

/** Tells apart, in pip's own words, what kept it from installing: no wheel, no wheel for this Python, anything else. */
export function explainPipFailure(failure: PipFailure): RunnerError {
  const { output, wheels, interpreter, wheelsFolder } = failure;
  const text = output.join('\n');
  const details = { output: output.slice(-KEPT_LINES), exitCode: failure.exitCode, path: wheelsFolder };
  const python = `Python ${interpreter.version} at ${interpreter.path}`;
  const said = pipsWords(output);

  const missing = /No matching distribution found for (.+?)(?: \(from .*)?$/m.exec(text)?.[1]?.trim();
  const otherPython = /requires? a different Python/i.test(text);
  if (missing !== undefined) {
    const name = normalise(/^[A-Za-z0-9._-]+/.exec(missing)?.[0] ?? missing);
    const ofName = wheels.filter((wheel) => wheel.name === name);
    const wrong = ofName.filter((wheel) => !fits(wheel, interpreter));
    if (ofName.length > 0 && (wrong.length === ofName.length || otherPython)) {
      const concerned = wrong.length > 0 ? wrong : ofName;
      return new RunnerError(
        'incompatible_python',
        `${concerned.map(({ file }) => file).join(', ')} cannot be used by ${python}. pip: ${said}. ` +
          'Select an interpreter that the wheels are made for, or add the wheel for this one to the package',
        {
          details: {
            ...details,
            requirements: [missing],
            wheels: concerned.map(({ file, tags }) => ({ file, tags })),
            interpreters: [
              { path: interpreter.path, version: interpreter.version, tags: tellingTags(interpreter) },
            ],
          },
        },
      );
    }
    const at =
      ofName.length === 0 ? 'has no wheel of it' : `has only ${ofName.map(({ file }) => file).join(', ')}`;
    return new RunnerError(
      'wheels_missing',
      `${missing} is required, and ${wheelsFolder} ${at}. pip: ${said}. Add the wheel to the package`,
      { details: { ...details, requirements: [missing] } },
    );
  }
  if (otherPython || text.includes('is not a supported wheel on this platform')) {
    return new RunnerError('incompatible_python', `The wheels do not suit ${python}. pip: ${said}`, {
      details: {
        ...details,
        interpreters: [
          { path: interpreter.path, version: interpreter.version, tags: tellingTags(interpreter) },
        ],
      },
    });
  }
  const last = output.findLast((line) => TAKEN_UP.test(line));
  if (last !== undefined && REFUSED.test(text)) {
    return new RunnerError(
      'install_failed',
      `A wheel in ${wheelsFolder} has pip go outside the package, which was refused. pip: ${last.trim()}. ${said}. ` +
        "Put the wheel of that project into the package, and have the other's metadata name the project without a URL",
      { details },
    );
  }
  return new RunnerError('install_failed', `pip could not install ${wheelsFolder} for ${python}: ${said}`, {
    details,
  });
}

function pipsWords(output: readonly string[]): string {
  const errors = output.filter((line) => line.startsWith('ERROR: ')).map((line) => line.slice(7).trim());
  const words = errors.length > 0 ? errors : output.filter((line) => line.trim() !== '').slice(-3);
  return words.join(' ') || 'it said nothing';
}

function normalise(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}
