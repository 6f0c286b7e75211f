import type { OperationOptions } from '../abort.js';
import type { ProjectLayout } from '../package/project-layout.js';
import { decodeText } from '../package/text.js';
import type { Manifest, PythonNeed } from '../package/types.js';
import type { PackageSource } from './package-source.js';

/** Files of the packaging tool that tell which interpreter a package was made for. */
const NOTES = ['.procvision_env.json', 'deploy_bootstrap.json'];
/** Where an interpreter that ships with a package is looked for, below the algorithm root. */
const EMBEDDED = ['bin/python3', 'bin/python', 'python.exe', 'python3', 'python'].map(
  (name) => `python_runtime/${name}`,
);

/** What the package says about the interpreter it wants; the first source that says a thing counts. */
export async function readPythonNeed(
  source: PackageSource,
  layout: ProjectLayout,
  manifest: Manifest | undefined,
  o: OperationOptions,
  warnings: string[],
): Promise<PythonNeed> {
  const need: PythonNeed = {};
  if (manifest?.python_version !== undefined) need.pythonVersion = manifest.python_version;
  for (const file of NOTES) {
    const entry = source.get(layout.root + file);
    if (!entry || entry.isDirectory) continue;
    const note = parseNote(await source.read(entry, o));
    if (!note) {
      warnings.push(`${entry.name} is not a JSON object and says nothing`);
      continue;
    }
    need.pythonVersion ??= text(note.python_version);
    need.implementation ??= text(note.implementation);
    need.abi ??= text(note.abi);
    need.platform ??= text(note.wheels_platform);
  }
  need.embedded = EMBEDDED.find((name) => source.get(layout.root + name)?.isDirectory === false);
  warnOfContradiction(need, layout, warnings);
  return Object.fromEntries(
    Object.entries(need).filter(([, value]: [string, unknown]) => value !== undefined),
  );
}

/** An interpreter that is named and that none of the binary wheels is for. */
function warnOfContradiction({ abi }: PythonNeed, layout: ProjectLayout, warnings: string[]): void {
  if (abi === undefined || !/^cp\d+$/.test(abi)) return;
  const binary = layout.wheelFiles
    .map(({ name }) => /-(cp\d+)-(cp\d+\w*|abi3)-[^-]+\.whl$/.exec(name))
    .filter((match) => match !== null);
  const contrary = binary.filter(([, python, wheelAbi]) => wheelAbi !== 'abi3' && python !== abi);
  if (contrary.length > 0 && contrary.length === binary.length) {
    warnings.push(
      `.procvision_env.json says ${abi}, but the wheels are for ${[...new Set(contrary.map(([, python]) => python))].join(', ')}`,
    );
  }
}

function parseNote(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(decodeText(bytes) ?? '');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
