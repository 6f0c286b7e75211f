import type { GivenValues } from '../../parameters/call-parameters.js';
import type { Deployment } from '../deployments/deployment.js';
import type { DeploymentLease } from '../deployments/deployment-table.js';
import type { InspectionRequest } from '../types.js';

/** Parameters of a call before its version fills in its own. */
export function askedOf(
  { productId, userParams: given }: InspectionRequest,
  { canary, kept }: Pick<DeploymentLease, 'canary' | 'kept'>,
): GivenValues {
  return { productId, given, kept: canary?.split.params ?? kept };
}

/** @throws RunnerError `invalid_params` for parameters that the step does not take */
export function withParameters(
  request: InspectionRequest,
  asked: GivenValues,
  { parameters }: Deployment,
): InspectionRequest {
  const userParams = parameters.of(request.stepIndex, asked);
  return userParams === asked.given ? request : { ...request, userParams };
}
