/**
 * The runner's endpoints as one web-standard handler.
 *
 * @packageDocumentation
 */
export { createRunnerHandler } from './handler.js';
export { toNodeListener, type NodeResponse } from './node-listener.js';
export type { NodeRequest } from './incoming-body.js';
export type { Authorization, RunnerAction, RunnerHandlerOptions } from './types.js';
export type { FleetDesk } from './fleet/fleet-look.js';
export type { ProblemDocument } from './problem.js';
