/** How workers of a version are started, as `status()` and the event `warmStart` tell. */
export interface WarmStartStatus {
  /**
   * `cold`: each worker is a process that imports everything itself, for the reason given. `warm`: workers are forked from a
   * process that has imported what the version imports (Linux). `open`: it is not decided yet.
   */
  mode: 'cold' | 'warm' | 'open';
  /** Why it is cold. */
  reason?: string;
  /** From the start of a worker to its readiness when it starts cold, in milliseconds, as measured for the decision. */
  coldMs?: number;
  /** The same when it is forked. */
  warmMs?: number;
  /** Process id of the fork server, while there is one. */
  serverProcessId?: number;
}
