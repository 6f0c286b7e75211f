import { constants } from 'node:os';
import type { RunnerError, RunnerErrorFacts } from '../errors.js';
import { fullDiskRemedy } from '../store/space.js';
import { installRefused } from '../store/store-error.js';

/** What no package can help: the disk, a right, or a limit of the machine. */
const OF_THE_MACHINE = [
  ...(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EACCES', 'EPERM'] as const),
  ...(['EMFILE', 'ENFILE', 'ENOMEM'] as const),
];
const BY_NUMBER = new Map<string, string>([
  ...OF_THE_MACHINE.map((code): [string, string] => [`Errno ${constants.errno[code]}`, code]),
  ...([
    ['WinError 112', 'ENOSPC'],
    ['WinError 39', 'ENOSPC'],
    ['WinError 19', 'EROFS'],
    ['WinError 5', 'EACCES'],
  ] as const),
]);

/**
 * An OSError as Python writes it, where `venv`, pip or the last line of a traceback begins with it: what comes later in a line
 * may be a name in the package.
 */
const OS_ERROR =
  /^(?:ERROR: Could not install packages due to an \w+: |(?:\w+\.)*\w*Error: )\[((?:Errno|WinError) \d+)\] ([^:]*)(?:: '([^']*)')?/;

/** What the system refused Python, by a line that it wrote: a code of {@link OF_THE_MACHINE}; undefined for any other line. */
export function refusalIn(
  line: string,
): { code: string; said: string; path: string | undefined } | undefined {
  const [, number = '', said = '', path] = OS_ERROR.exec(line) ?? [];
  const code = BY_NUMBER.get(number);
  return code === undefined ? undefined : { code, said, path };
}

/**
 * What the system refused a Python program that makes an environment, by what the program wrote; undefined where it tells of
 * nothing that is the machine's.
 */
export function refusedBySystem(
  output: readonly string[],
  doing: string,
  details: RunnerErrorFacts,
): RunnerError | undefined {
  for (const line of output) {
    const refusal = refusalIn(line);
    if (!refusal) continue;
    const { code, said, path } = refusal;
    const text = `${code}: ${said}${path === undefined ? '' : `, '${path}'`}`;
    const cause: NodeJS.ErrnoException = Object.assign(new Error(text), { code, path });
    const remedy = fullDiskRemedy(cause, 'free some space, for example with prune()');
    return installRefused(cause, `Could not ${doing}: ${text}${remedy}`, {
      ...details,
      ...(path && { path }),
    });
  }
  return undefined;
}
