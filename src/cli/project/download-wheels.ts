import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { CliFailure, EXIT } from '../host.js';
import type { Call } from '../spec.js';

interface Wanted {
  project: string;
  target: string;
  /** Folders of wheels. */
  links: readonly string[];
  /** An index; `true` for the one of pip's own settings. */
  index: string | true | undefined;
  platforms: readonly string[];
  python: string | undefined;
  temporary: string;
}

/** Last lines of pip that a failure shows. */
const MOST_LINES = 8;

/**
 * Lets pip choose the wheels of a project, from folders alone unless an index is given.
 *
 * @returns false where no interpreter of this machine has pip, and no index is asked for
 */
export async function downloadWheels(call: Call, wanted: Wanted): Promise<boolean> {
  const { signal, out } = call;
  const requirements = path.join(wanted.project, 'requirements.txt');
  const isThere = await stat(requirements).then(
    () => true,
    () => false,
  );
  if (!isThere) await writeFile(path.join(wanted.temporary, 'requirements.txt'), '');
  const { VenvManager } = await import('procvision-runner');
  const interpreters = await new VenvManager().interpreters({ signal });
  const args = argumentsOf(wanted, isThere ? requirements : path.join(wanted.temporary, 'requirements.txt'));
  for (const { path: python } of interpreters) {
    const { code, lines } = await runPip(python, args, call);
    if (code === 0) return true;
    if (lines.some((line) => line.includes('No module named pip'))) continue;
    for (const line of lines.slice(-MOST_LINES)) out.say(out.messageStyle.dim(`  ${line}`));
    const last =
      lines.filter((line) => line.startsWith('ERROR:')).at(-1) ?? `pip ended with ${code ?? 'a signal'}`;
    throw new CliFailure(`The wheels cannot be had: ${last.replace(/^ERROR:\s*/, '')}`, EXIT.failed);
  }
  if (wanted.index === undefined) return false;
  throw new CliFailure(
    'No Python of this machine has pip, which takes wheels from an index: install pip, or give --wheels',
    EXIT.failed,
  );
}

function argumentsOf({ target, links, index, platforms, python }: Wanted, requirements: string): string[] {
  // For another machine nothing can be built here; for this one neither, since a package delivers wheels alone.
  const isForeign = platforms.length > 0 || python !== undefined;
  return [
    ...['-m', 'pip', 'download', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off'],
    ...['--only-binary', ':all:', '--dest', target, '--requirement', requirements],
    ...links.flatMap((folder) => ['--find-links', folder]),
    ...(index === undefined ? ['--no-index'] : index === true ? [] : ['--index-url', index]),
    ...platforms.flatMap((platform) => ['--platform', platform]),
    ...(python === undefined ? [] : ['--python-version', python]),
    ...(isForeign ? ['--implementation', 'cp'] : []),
  ];
}

async function runPip(python: string, args: readonly string[], { signal, host, out }: Call) {
  const child = spawn(python, args, { cwd: host.cwd, stdio: ['ignore', 'pipe', 'pipe'], signal });
  const lines: string[] = [];
  const read = async (stream: NodeJS.ReadableStream) => {
    for await (const line of createInterface({ input: stream })) {
      lines.push(line);
      if (/^(?:Collecting|Saved) /.test(line)) out.say(out.messageStyle.dim(`  ${line}`));
    }
  };
  const [[code]] = await Promise.all([
    once(child, 'close') as Promise<[code: number | null]>,
    read(child.stdout),
    read(child.stderr),
  ]);
  return { code, lines };
}
