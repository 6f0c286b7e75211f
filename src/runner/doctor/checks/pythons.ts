import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { assetPath } from '../../../assets.js';
import { parseReport, containmentOrder } from '../../../process/containment.js';
import { pythonEnvironment } from '../../../process/environment.js';
import { run } from '../../../process/run.js';
import { venvRemedy } from '../../../python/environments/environment.js';
import type { UnusablePython } from '../../../python/interpreters/facts.js';
import { InterpreterFinder } from '../../../python/interpreters/finder.js';
import type { Interpreter } from '../../../python/types.js';
import { inTemporaryFolder } from '../../../store/temporary-folder.js';
import { finding, type Finding } from '../finding.js';
import type { Surroundings } from '../surroundings.js';
import type { Examination } from './context.js';

const BOUNDS_MS = 20_000;

/** Interpreters, and what bounds the system gives what they run. */
export async function examinePythons({ python, surroundings, signal }: Examination): Promise<Finding[]> {
  const finder = new InterpreterFinder({ given: python, memory: () => undefined });
  const unusable: UnusablePython[] = [];
  const usable: Interpreter[] = [];
  const onUnusable = (one: UnusablePython) => unusable.push(one);
  for await (const found of finder.interpretersInTurn({ onUnusable, signal })) {
    usable.push(found);
    if (!python) break; // the first is what is used; to ask all of them takes seconds
  }
  const [first] = usable;
  if (!first) return [none(python, unusable)];
  const found: Finding[] = [];
  for (const { path: file, reason } of python ? unusable : []) {
    found.push(finding('python.unusable', { what: `${file} cannot be used`, why: reason, path: file }));
  }
  for (const interpreter of usable) {
    const facts = await finder.facts.get(interpreter, { signal });
    if (facts.has_venv) continue;
    const what = `${interpreter.path} has no module venv`;
    const remedy = asSentence(venvRemedy(interpreter, surroundings.platform));
    const why = 'The system has packed it apart';
    found.push(finding('python.no-venv', { what, why, remedy, path: interpreter.path }));
  }
  if (surroundings.platform === 'linux') {
    found.push(...(await examineBounds(first.path, surroundings, signal)));
  }
  return found;
}

function asSentence(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function none(given: readonly string[] | undefined, unusable: readonly UnusablePython[]): Finding {
  const looked = unusable.slice(0, 5).map(({ path: file, reason }) => `${file}: ${reason}`);
  return finding('python.none', {
    what: given
      ? `None of ${given.join(', ')} is a Python that can be used`
      : 'There is no Python 3.8 or later on this machine',
    why: looked.length > 0 ? looked.join('; ') : 'None was found on PATH, in pyenv or by the py launcher',
  });
}

/** Has a process put into its bounds, as a worker is, and reads what is in force. */
async function examineBounds(
  python: string,
  surroundings: Surroundings,
  signal: AbortSignal | undefined,
): Promise<Finding[]> {
  const missing = await inTemporaryFolder('procvision-doctor-', async (root) => {
    const order = containmentOrder({ namespaces: true, root, report: 1 });
    const { stdout } = await run(
      python,
      ['-S', '-B', assetPath('process/show_bounds.py'), JSON.stringify(order)],
      {
        ...{ env: pythonEnvironment(), timeoutMs: BOUNDS_MS, signal, isKept: true },
      },
    );
    return parseReport(stdout.trim())?.bounds.missing;
  });
  if (missing === undefined || missing.length === 0) return [];
  const cause = await whyNone(surroundings);
  return [
    finding('namespaces.missing', {
      what: `Workers do not get all of their bounds: ${missing.join('; ')}`,
      why: cause?.why ?? 'The system, or the container, does not give them to this user',
      ...(cause && { remedy: cause.remedy }),
    }),
  ];
}

/** Settings of the kernel that refuse user namespaces, with what changes them. */
const SETTINGS: readonly [file: string, refuses: (value: number) => boolean, why: string, remedy: string][] =
  [
    [
      'sys/user/max_user_namespaces',
      (value) => value === 0,
      'user.max_user_namespaces is 0',
      'Run the host as root, or: sysctl user.max_user_namespaces=1024, which lets every user make namespaces',
    ],
    [
      'sys/kernel/unprivileged_userns_clone',
      (value) => value === 0,
      'kernel.unprivileged_userns_clone is 0 (Debian)',
      'Run the host as root, or: sysctl kernel.unprivileged_userns_clone=1, which lets every user make namespaces',
    ],
    [
      'sys/kernel/apparmor_restrict_unprivileged_userns',
      (value) => value === 1,
      'AppArmor keeps ordinary users from namespaces (Ubuntu 24.04)',
      'Run the host as root, or give its program an AppArmor profile with the rule userns, which lets that program alone make namespaces',
    ],
  ];

/** The setting that refuses them, to a user who is not root. */
export async function whyNone({ proc }: Surroundings): Promise<{ why: string; remedy: string } | undefined> {
  for (const [file, refuses, why, remedy] of SETTINGS) {
    const text = await readFile(path.join(proc, file), 'utf8').catch(() => '');
    if (text.trim() !== '' && refuses(Number(text))) return { why, remedy };
  }
  return undefined;
}
