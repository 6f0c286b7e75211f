import { RunnerError } from '../../errors.js';
import type { CallService } from '../calls/call-service.js';
import type { Deployment } from '../deployments/deployment.js';
import type { InspectionResult } from '../types.js';
import type { WarmUp } from './types.js';

/**
 * Makes the calls that a version must answer before it serves anybody: at every worker as many as are asked for, the
 * workers side by side.
 *
 * @throws RunnerError `start_failed` for an answer ERROR, and what a call fails with
 */
export async function warmUp(
  service: CallService,
  deployment: Deployment,
  { calls = 1, stepIndex = deployment.entry.step_indexes?.[0] ?? 1, ...rest }: WarmUp,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { name, version } = deployment.entry;
  const request = { target: { name, version }, stepIndex, ...rest };
  const answers = await Promise.all(
    deployment.pool.slots.map(async ({ index: worker }) => {
      let answer: InspectionResult | undefined;
      for (let call = 0; call < calls && answer?.status !== 'ERROR'; call++)
        answer = await service.callAt(deployment, request, { worker, signal });
      return answer;
    }),
  );
  const bad = answers.find((answer) => answer?.status === 'ERROR');
  if (!bad) return;
  throw new RunnerError(
    'start_failed',
    `${name} ${version} answered its warm-up call with ERROR: ${bad.message}. Nothing was switched`,
    { errorCode: bad.errorCode, details: { name, version, stage: 'warm-up', raw: bad } },
  );
}
