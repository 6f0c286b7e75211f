import { RunnerError } from '../../errors.js';
import { listed } from '../../package/text.js';
import { remedyFor } from '../interpreters/remedy.js';
import { tellingTags } from '../interpreters/tags.js';
import type { Interpreter } from '../types.js';
import type { NoChoice } from './no-choice.js';

/** The error of wheels that cannot be chosen from: where they are, what is wrong, what to do; pip's words are its output. */
export function failureOf(
  { kind, message, facts }: NoChoice,
  place: string,
  interpreter: Interpreter,
): RunnerError {
  const { requirements = [], wheels = [], words = [], requiresPython } = facts;
  const details = {
    path: place,
    requirements: [...requirements],
    output: words.length > 0 ? [...words] : [`ERROR: ${message}`],
    ...(wheels.length > 0 && { wheels: wheels.map(({ file, tags }) => ({ file, tags })) }),
  };
  if (kind === 'missing')
    return new RunnerError('wheels_missing', `${message}, in ${place}. Add the wheel to the package`, {
      details,
    });
  if (kind === 'python') {
    const { path: at, version } = interpreter;
    return new RunnerError(
      'incompatible_python',
      `${listed(
        wheels.map(({ file }) => file),
        ', ',
        5,
      )} cannot be used by Python ${version} at ${at}: ${message}. ` +
        remedyFor(wheels, [interpreter], requiresPython),
      { details: { ...details, interpreters: [{ path: at, version, tags: tellingTags(interpreter) }] } },
    );
  }
  const remedies: Partial<Record<NoChoice['kind'], string>> = {
    conflict:
      '. Name versions in requirements.txt that go together, and pack the package again with their wheels',
    outside:
      ', and only wheels of the package are installed. Put the wheel of that project into the package, and have ' +
      "the other's metadata name the project without a URL",
  };
  const head =
    kind === 'outside'
      ? 'A wheel would go outside the package: '
      : `The wheels in ${place} cannot be chosen from: `;
  return new RunnerError('install_failed', head + message + (remedies[kind] ?? ''), { details });
}

/** The error of wheels with entries that no interpreter there is can read (PEP 784). */
export function cannotUnpack(
  wheels: readonly { file: string }[],
  place: string,
  interpreters: readonly Interpreter[],
): RunnerError {
  const files = wheels.map(({ file }) => file);
  const found = interpreters.map(({ path, version }) => `Python ${version} at ${path}`);
  return new RunnerError(
    'incompatible_python',
    `${place}: entries of ${listed(files, ', ', 5)} are compressed by Zstandard (method 93), which ${listed(found, ', ', 5)} ` +
      `cannot read. Install Python 3.14 or later with its module compression.zstd, or ask the maker of the wheel to pack ` +
      'it again with the method Deflate',
    {
      details: {
        path: place,
        wheels: files.map((file) => ({ file, tags: [] })),
        interpreters: interpreters.map((one) => ({
          path: one.path,
          version: one.version,
          tags: tellingTags(one),
        })),
      },
    },
  );
}
