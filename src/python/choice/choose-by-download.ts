import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { normalizeProjectName } from '../../package/wheel-name.js';
import { writtenNames, type ChosenWheel } from './choice.js';
import type { Installation } from '../pip/install-pip.js';
import { choosePip, noPip, runPip } from '../pip/pip.js';
import { explainPipFailure } from '../pip/pip-faults.js';
import { readMetadata } from './read-metadata.js';

/**
 * Has a pip before 22.2, which cannot report what it would install, tell its choice by what it "downloads" from the
 * wheels folder. It copies each wheel for that; the choice is remembered, so it does so once for a set of wheels.
 */
export async function chooseByDownload(installation: Installation): Promise<ChosenWheel[]> {
  const { venv, wheels, wheelsFolder, facts, requirements } = installation;
  const pip = choosePip(facts, wheelsFolder, wheels);
  if (pip === undefined) throw noPip(venv.interpreter);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'procvision-choice-'));
  try {
    const result = await runPip({ ...installation, pip, command: 'download', args: ['--dest', folder] });
    if (result.exitCode !== 0) {
      const { output, exitCode } = result;
      throw explainPipFailure({ output, exitCode, wheels, wheelsFolder, interpreter: venv.interpreter });
    }
    const copied = new Set(await readdir(folder));
    const chosen = wheels.filter(({ file }) => copied.has(file));
    const required = [...requirements.lines];
    for (const { file } of chosen) {
      required.push(...(await readMetadata(path.join(wheelsFolder, file))).requires);
    }
    const written = writtenNames(required);
    const requested = writtenNames(requirements.lines);
    return chosen.map(({ file, name }) => ({
      file,
      requested: requested.has(normalizeProjectName(name)),
      writtenName: written.get(normalizeProjectName(name)) ?? name,
    }));
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
