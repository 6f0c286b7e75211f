import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chooseFor } from '../../src/python/choice/choose.js';
import { listWheels } from '../../src/python/pip/pip.js';
import { readRequirements } from '../../src/python/pip/requirements-file.js';
import type { PythonFacts } from '../../src/python/interpreters/python-facts.js';
import type { Interpreter } from '../../src/python/types.js';
import { RunnerError } from '../../src/errors.js';
import { writeZip } from '../../src/testing/index.js';
import type { WheelSet } from './wheel-sets.js';

/** A set on disk. */
export interface WrittenSet {
  folder: string;
  requirements: string;
}

/** Wheels in the order of installation, or why there are none. */
export type Answer =
  | { chosen: [file: string, requested: boolean, writtenName: string | null][]; warnings: string[] }
  | { failed: string; why: string; warnings: string[] };

/** Writes a set, each wheel with its METADATA and little else. */
export async function writeSet(
  root: string,
  { wheels, requirements, constraints }: WheelSet,
): Promise<WrittenSet> {
  const folder = path.join(root, 'wheels');
  await mkdir(folder, { recursive: true });
  const hashes = new Map<string, string>();
  const place = pathToFileURL(folder).href;
  const filled = (text: string) =>
    text
      .replaceAll('file:///elsewhere/', `${place}/`)
      .replace(/@SHA256 ([^@]+)@/g, (_, file: string) => hashes.get(file) ?? 'f'.repeat(64));
  for (const [file, metadata] of Object.entries(wheels)) {
    const [name = '', version = ''] = file.split('-');
    const info = `${name}-${version}.dist-info`;
    const bytes = writeZip([
      { name: `${info}/METADATA`, data: filled(metadata), stored: true },
      {
        name: `${info}/WHEEL`,
        data: 'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
        stored: true,
      },
      { name: `${info}/RECORD`, data: '', stored: true },
    ]);
    hashes.set(file, createHash('sha256').update(bytes).digest('hex'));
    await writeFile(path.join(folder, file), bytes);
  }
  const file = path.join(root, 'requirements.txt');
  if (constraints !== '') await writeFile(path.join(root, 'limits.txt'), filled(constraints));
  await writeFile(file, `${constraints === '' ? '' : '-c limits.txt\n'}${filled(requirements)}`);
  return { folder, requirements: file };
}

/** What this library chooses. */
export async function chooseByUs(
  { folder, requirements }: WrittenSet,
  { interpreter, facts }: { interpreter: Interpreter; facts: PythonFacts },
): Promise<Answer> {
  try {
    const { chosen, warnings } = await chooseFor({
      venv: { interpreter },
      ...{ facts, wheelsFolder: folder, wheels: await listWheels(folder) },
      requirements: await readRequirements(requirements),
    });
    return {
      chosen: chosen.map(({ file, requested, writtenName }) => [file, requested, writtenName]),
      warnings,
    };
  } catch (error) {
    if (!RunnerError.is(error)) throw error;
    return { failed: error.code, why: error.message, warnings: [] };
  }
}

/** pip's resolver in a process of its own, asked for one set after the other. */
export class PipChoices implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: ((answer: Answer) => void)[] = [];
  readonly #ended: Promise<void>;

  constructor(python: string, pip: string) {
    const script = fileURLToPath(new URL('pip_choices.py', import.meta.url));
    this.#child = spawn(python, ['-I', '-X', 'utf8', script, pip]);
    this.#child.stderr.resume();
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#waiting.shift()?.(JSON.parse(line) as Answer);
    });
    this.#ended = new Promise((resolve) => {
      this.#child.on('close', () => {
        for (const answer of this.#waiting.splice(0))
          answer({ failed: 'ended', why: 'pip ended', warnings: [] });
        resolve();
      });
    });
  }

  ask(set: WrittenSet, how: { cli?: boolean } = {}): Promise<Answer> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#child.stdin.write(`${JSON.stringify({ ...set, ...how })}\n`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#ended;
  }
}
