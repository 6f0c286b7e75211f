import type { SupervisorPolicy } from '../policy.js';
import { readProcessUsage } from './process-usage.js';
import type { WorkerSlot } from './worker-slot.js';

/** Whether the worker of a place has had as many calls, or grown as fat, as the policy lets it. */
export function isDueForRecycling(slot: WorkerSlot, policy: Readonly<SupervisorPolicy>): boolean {
  const { recycleAfterCalls = Infinity, recycleAboveBytes = Infinity } = policy;
  if (slot.callsOfWorker >= recycleAfterCalls) return true;
  if (recycleAboveBytes === Infinity) return false;
  return (readProcessUsage(slot.worker?.processId ?? -1)?.rssBytes ?? 0) > recycleAboveBytes;
}
