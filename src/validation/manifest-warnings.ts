import { shown } from '../package/text.js';
import type { Manifest } from '../package/types.js';
import { declaredSteps } from '../parameters/declared-steps.js';
import { parameterFaults } from '../parameters/parameter-faults.js';

/** The specification (0.2.1, section 3.7.1) allows 50 product ids and warns above 20. */
const MANY_PRODUCT_IDS = 20;
/** Most odd parameters that are named. */
const MOST_NAMED = 20;

/** What is odd about a manifest whose fields are right. */
export function manifestWarnings({ steps, supported_pids: ids = [] }: Manifest): string[] {
  const faults = parameterFaults(declaredSteps(steps));
  const named = faults.slice(0, MOST_NAMED).map(({ path, message }) => `The parameter of ${path} ${message}`);
  const more = faults.length - named.length;
  return [
    ...(ids.length > MANY_PRODUCT_IDS
      ? [
          `The manifest supports ${ids.length} product ids: the specification allows 50, and advises at most ${MANY_PRODUCT_IDS}`,
        ]
      : []),
    ...named.map(shown),
    ...(more > 0 ? [`${more} more parameters are declared with faults`] : []),
  ];
}
