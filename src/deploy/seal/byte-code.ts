import type { OperationOptions } from '../../abort.js';
import { assetPath } from '../../assets.js';
import { RunnerError } from '../../errors.js';
import { pythonEnvironment } from '../../process/environment.js';
import { run } from '../../process/run.js';

/** Compiling every source of the largest environments takes a minute or two. */
const CHECK_MS = 10 * 60_000;

/**
 * Files of byte code that are not what the version's interpreter makes of the sources beside them: forged by somebody, of
 * another Python, or without a source. Of versions that were sealed without byte code: Python wrote it when it imported.
 *
 * @param root - folder of the version; its interpreter runs without anything of the package
 * @param files - relative to `root`, with `/`
 */
export async function wrongByteCode(
  root: string,
  python: string,
  files: readonly string[],
  { signal }: OperationOptions = {},
): Promise<string[]> {
  const wrong = new Set(files);
  if (wrong.size === 0) return [];
  try {
    await run(python, ['-I', '-S', '-B', '-X', 'utf8', assetPath('deploy/seal/check_bytecode.py')], {
      cwd: root,
      env: pythonEnvironment(),
      timeoutMs: CHECK_MS,
      signal,
      maxOutputBytes: 1 << 20,
      input: files.map((file) => `${JSON.stringify(file)}\n`),
      onLine: (line, stream) => {
        if (stream === 'stderr') return;
        const [file, isRight] = JSON.parse(line) as [string, boolean];
        if (isRight) wrong.delete(file);
      },
    });
  } catch (error) {
    // Without its interpreter nothing of the version runs, and its byte code cannot be checked.
    if (!RunnerError.is(error, 'start_failed')) throw error;
  }
  return [...wrong];
}
