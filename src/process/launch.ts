import { baseInterpreter } from './base-interpreter.js';
import { containmentOrder, type Containment } from './containment.js';

/** How to start something of an environment in its bounds. */
export interface Launch {
  command: string;
  args: string[];
}

/**
 * Program and arguments that run a script of ours (worker/launch.py, validation/probe.py) in the interpreter that an
 * environment was made from, with an order for `contain.py` (POSIX) or
 * `job_object.py` (Windows) as its first argument.
 */
export function launch(
  python: string,
  script: string,
  args: readonly string[],
  bounds: Omit<Containment, 'executable'>,
): Launch {
  const { command, executable } = baseInterpreter(python);
  const order = containmentOrder({ namespaces: true, ...bounds, executable });
  return { command, args: ['-S', script, JSON.stringify(order), ...args] };
}
