import { RunnerError } from '../errors.js';
import type { Deadline } from './deadline.js';
import type { Deployment } from './deployment.js';
import type { AlgorithmInfo } from './types.js';

/** `get_info()` of a deployment that is ready, over its adapter's `info` phase. */
export async function askInfo(deployment: Deployment, deadline: Deadline): Promise<AlgorithmInfo> {
  const { entry, pool, title } = deployment;
  if (entry.generation === 'execute-only') {
    throw new RunnerError(
      'unsupported_phase',
      `${title} is of the execute-only generation (SDK 0.3 and later): its class has no get_info(). ` +
        'Its manifest, in the registry and the deployed folder, says what there is to know',
      { details: { name: entry.name, version: entry.version, stage: 'info' } },
    );
  }
  if (!pool.ready?.capabilities.includes('info')) {
    throw new RunnerError('unsupported_phase', `${title}: its adapter has no info phase`, {
      details: { name: entry.name, version: entry.version, stage: 'info' },
    });
  }
  const { info } = (await deployment.ask({ phase: 'info' }, deadline)).data;
  if (typeof info !== 'object' || info === null || Array.isArray(info)) {
    throw new RunnerError('contract_violation', `${title} answered get_info() with ${JSON.stringify(info)}`, {
      details: { path: 'data.info', raw: info },
    });
  }
  return info as AlgorithmInfo;
}
