import path from 'node:path';
import type { Generation } from '../../package/types.js';
import { readJson } from '../../store/atomic-file.js';
import type { ResultData } from '../../worker/types.js';
import type { FakeWorkerOptions } from './options.js';
import type { FakeCallData } from './types.js';

/** What every SDK can do. */
const COMMON = ['ping', 'call', 'shutdown', 'shared_memory:v1'];
/** What the later SDKs of the phased generation can do besides. */
const HOOKS = ['info', 'setup', 'teardown', 'reset', 'on_step_start', 'on_step_finish'];

/** The `hello` of the SDK of a generation. */
export function helloOf({ generation, sdkVersion, capabilities }: FakeWorkerOptions): object {
  const isPhased = generation !== 'execute-only';
  return {
    type: 'hello',
    sdk_version: sdkVersion ?? (isPhased ? '0.0.7' : '0.3.2'),
    capabilities: capabilities ?? [...COMMON, ...(isPhased ? HOOKS : ['execute'])],
  };
}

/** `data` of the result that an algorithm gives which finds no fault. `root` is the algorithm root. */
export async function defaultData(
  generation: Generation,
  { phase = 'execute', step_index: step }: FakeCallData,
  root: string,
): Promise<ResultData> {
  const about: ResultData = { step_index: phase === 'info' ? 0 : step };
  if (generation === 'phased') about.phase = phase;
  if (phase === 'execute') return { ...about, result_status: 'OK', defect_rects: [] };
  if (phase === 'pre') return { ...about, calibration_rects: [] };
  return phase === 'info' ? { ...about, info: await infoOf(root) } : about;
}

/** As `get_info()`: it agrees with the manifest, where there is one. */
async function infoOf(root: string): Promise<Record<string, unknown>> {
  const manifest = await readJson(path.join(root, 'manifest.json')).catch(() => undefined);
  const {
    name = 'fake',
    version = '1.0.0',
    supported_pids: pids = [],
  } = (manifest ?? {}) as Record<string, unknown>;
  return { name, version, supported_pids: pids, steps: [{ index: 1, name: 'look', params: [] }] };
}
