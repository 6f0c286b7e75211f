import { isRecord } from '../arguments.js';
import path from 'node:path';
import { RunnerError } from '../errors.js';
import type { Manifest } from '../package/types.js';
import { pythonIn } from '../python/environments/environment-paths.js';
import { readJson } from '../store/atomic-file.js';
import type { StoreLayout } from '../store/layout.js';
import { runProbe } from '../validation/probe.js';
import type { Deadline } from './clock.js';
import type { Deployment } from './deployments/deployment.js';
import type { AlgorithmInfo } from './types.js';

/**
 * `get_info()` of a deployment that is ready: over its adapter's `info` phase, or, for the many SDKs whose adapter has
 * none, by a probe that loads the class in the version's own environment.
 */
export async function askInfo(
  deployment: Deployment,
  layout: StoreLayout,
  deadline: Deadline,
): Promise<AlgorithmInfo> {
  const { entry, pool, title } = deployment;
  if (entry.generation === 'execute-only') {
    throw new RunnerError(
      'unsupported_phase',
      `${title} is of the execute-only generation (SDK 0.3 and later): its class has no get_info(). ` +
        'Its manifest, in the registry and the deployed folder, says what there is to know',
      { details: { name: entry.name, version: entry.version, stage: 'info' } },
    );
  }
  if (!pool.ready?.capabilities.includes('info')) return probeInfo(deployment, layout, deadline);
  const { info } = (await deployment.ask({ phase: 'info' }, deadline)).data;
  if (!isRecord(info)) {
    throw new RunnerError('contract_violation', `${title} answered get_info() with ${JSON.stringify(info)}`, {
      details: { path: 'data.info', raw: info },
    });
  }
  return info as unknown as AlgorithmInfo;
}

async function probeInfo(
  { entry, title }: Deployment,
  layout: StoreLayout,
  { signal, leftMs }: Deadline,
): Promise<AlgorithmInfo> {
  const { name, version, generation } = entry;
  const root = layout.deployed(name, version);
  const manifest = (await readJson(path.join(root, 'manifest.json'))) as Manifest | undefined;
  const { info, error } = await runProbe(
    {
      root,
      python: pythonIn(layout.venv(name, version)),
      manifest: manifest ?? { name, version, entry_point: entry.entry_point },
      generation,
    },
    'info',
    { signal, stepTimeoutMs: leftMs, setupErrors: 'warn' },
  );
  if (info) return info as unknown as AlgorithmInfo;
  throw (
    error ??
    new RunnerError('contract_violation', `${title} has a get_info() that answers no dict`, {
      details: { name, version, path: 'info', raw: info },
    })
  );
}
