import type { InspectionResult } from '../supervisor/types.js';
import { withoutPaths } from '../redact-paths.js';

/** A result as it is answered: what an algorithm raised names paths relative to the store, as problem documents do. */
export function redactedResult(result: InspectionResult, root: string): InspectionResult {
  if (result.status === 'OK') return result;
  const { message, exception } = result;
  return { ...result, ...withoutPaths({ message, ...(exception && { exception }) }, root) };
}
