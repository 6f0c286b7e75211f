import type { SupervisorPolicy } from '../../src/supervisor/policy.js';
import { IS_WINE } from './platform.js';

/** The limits of calls where none is given: a start of Python, which a call may wait for, takes Wine many seconds. */
const PATIENCE = { preTimeoutMs: 60_000, executeTimeoutMs: 60_000, infoTimeoutMs: 60_000 };

/** A policy with the patience that Wine needs; elsewhere the policy itself. */
export function patient(policy: Partial<SupervisorPolicy> = {}): Partial<SupervisorPolicy> {
  if (!IS_WINE) return policy;
  return { ...PATIENCE, ...policy, limits: { helloMs: 60_000, ...policy.limits } };
}
