import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../../errors.js';
import { decodeRequirements, requirementLines } from '../../package/requirement-lines.js';
import { pinnedByWheel } from '../../package/requirements.js';

/** Requirement lines that pip may be handed: everything included, nothing that reaches out. */
export interface FlatRequirements {
  /** One requirement a line, with its hashes. */
  lines: string[];
  /** Lines of constraint files. */
  constraints: string[];
  /** Whole-file options that are kept (`--pre`, `--require-hashes`…). */
  options: string[];
}

/** Options that change the choice among the wheels at hand, and nothing else. */
const KEPT = new Set(['--pre', '--prefer-binary', '--require-hashes']);
/** Options that ask for what is done anyway, or that mean nothing without an index. */
const NEEDLESS = new Set(['--no-index', '--only-binary', '--no-binary', '--trusted-host', '--use-feature']);
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/;
const ARCHIVE = /\.(whl|zip|egg|tar|tar\.\w+|tgz|tbz)$/i;
const VARIABLE = /\$\{[A-Z0-9_]+\}/;
const HASH_OPTION = /\s--hash[= ]\s*[a-z0-9]+:[0-9a-fA-F]+/g;

/**
 * Reads a requirements file with what it includes, and refuses every line that would have pip leave the package:
 * an index, a URL, a path, an editable project, an include from elsewhere. A BOM, CRLF and GBK are understood.
 *
 * @throws RunnerError `install_failed` naming the line, `wheels_missing` when there is no such file
 */
export async function readRequirements(file: string): Promise<FlatRequirements> {
  const root = await realpath(path.dirname(file)).catch(() => path.dirname(file));
  const flat: FlatRequirements = { lines: [], constraints: [], options: [] };
  await collect(path.join(root, path.basename(file)), root, flat, 'lines', []);
  return flat;
}

async function collect(
  file: string,
  root: string,
  flat: FlatRequirements,
  into: 'lines' | 'constraints',
  trail: readonly string[],
): Promise<void> {
  if (trail.includes(file)) return;
  let text: string | undefined;
  try {
    text = decodeRequirements(await readFile(file));
  } catch (cause) {
    throw new RunnerError(
      'install_failed',
      `The requirements ${file} cannot be read: ${(cause as Error).message}`,
      {
        cause,
        details: { path: file },
      },
    );
  }
  if (text === undefined) {
    throw new RunnerError(
      'install_failed',
      `The requirements ${file} are neither UTF-8 nor GBK text, or name another encoding: save them as UTF-8`,
      { details: { path: file } },
    );
  }
  for (const { text: line, line: number } of requirementLines(text)) {
    const refuse = (why: string) => refused(file, number, line, why);
    if (!line.startsWith('-')) {
      const pinned = pinnedByWheel(line);
      if (pinned) {
        // Without its hash, which would make pip demand one of every other line too.
        flat[into].push(pinned.marker === undefined ? pinned.text : `${pinned.text} ; ${pinned.marker}`);
        continue;
      }
      const fault = faultOf(line);
      if (fault !== undefined) throw refuse(fault);
      flat[into].push(line);
      continue;
    }
    const [, option = '', value = ''] =
      /^(-[a-zA-Z](?![a-zA-Z-])|--[a-z-]+)[=\s]*(.*)$/.exec(spread(line)) ?? [];
    if (option === '-r' || option === '--requirement' || option === '-c' || option === '--constraint') {
      const target = await insideOf(root, value, path.dirname(file));
      if (target === undefined) throw refuse('it includes a file from outside the package');
      const kind = option.includes('c') ? 'constraints' : into;
      await collect(target, root, flat, kind, [...trail, file]);
    } else if (option === '-f' || option === '--find-links') {
      if ((await insideOf(root, value)) === undefined) {
        throw refuse('it looks for wheels outside the package');
      }
    } else if (KEPT.has(option)) {
      flat.options.push(option);
    } else if (!NEEDLESS.has(option)) {
      throw refuse(`the option ${option || line} is not allowed in an offline package`);
    }
  }
}

/** `-rfile` is how some write `-r file`. */
function spread(line: string): string {
  return line.replace(/^-([rcfie])(?=[^\s=-])/, '-$1 ');
}

function faultOf(line: string): string | undefined {
  const bare = line.replace(HASH_OPTION, '').trim();
  if (/\s--[a-z]/.test(bare)) return 'it has an option that is not allowed in an offline package';
  if (VARIABLE.test(bare)) return 'it has a variable of the environment in it, which pip would put there';
  const name = NAME.exec(bare)?.[0];
  const [beforeMarker = ''] = bare.split(';');
  if (name === undefined || /[\\/]/.test(beforeMarker) || ARCHIVE.test(beforeMarker.trim())) {
    return 'it is a path or a URL, not the name of a project whose wheel the package has';
  }
  const rest = beforeMarker
    .slice(name.length)
    .replace(/^\s*\[[^\]]*\]/, '')
    .trim();
  if (rest.startsWith('@')) return 'it is a URL, not the name of a project whose wheel the package has';
  return rest === '' || /^\(?\s*(===|[<>=!~]=|[<>])/.test(rest) ? undefined : 'it is no requirement';
}

function refused(file: string, number: number, line: string, why: string): RunnerError {
  return new RunnerError(
    'install_failed',
    `${path.basename(file)} line ${number} is refused, ${why}: ${line}. Nothing is installed from outside the ` +
      "package: put the wheel into the package's wheels folder and name the project instead",
    { details: { path: file, requirements: [line], stage: 'requirements' } },
  );
}

async function insideOf(root: string, value: string, from = root): Promise<string | undefined> {
  if (value.includes('://')) return undefined;
  const target = path.resolve(from, unquote(value));
  const real = await realpath(target).catch(() => target);
  const relative = path.relative(root, real);
  return relative.startsWith('..') || path.isAbsolute(relative) ? undefined : real;
}

function unquote(value: string): string {
  return value.trim().replace(/^(['"])(.*)\1$/, '$2');
}
