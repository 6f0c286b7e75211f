/**
 * Records calls, makes them again at another version, and tries a candidate beside the version that serves: on the
 * observers and retained versions of an AlgorithmSupervisor.
 *
 * @packageDocumentation
 */
export { record } from './recorder.js';
export { replay } from './replay.js';
export { shadow } from './shadow.js';
export { formatComparison } from './comparison-report.js';
export type { RecordedCall, RecordedImage } from './format.js';
export type * from '../supervisor/recording-types.js';
