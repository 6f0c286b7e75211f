/**
 * The runner's endpoints as one web-standard handler.
 *
 * @packageDocumentation
 */
export { createRunnerHandler } from './handler.js';
export { toNodeListener } from './node-listener.js';
export type { RunnerAction, RunnerHandlerOptions } from './types.js';
export type { ProblemDocument } from './problem.js';
