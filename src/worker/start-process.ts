import type { DescriptorChannel } from '../frames/descriptor-channel.js';
import type { ProcessHandle, ProcessListeners } from './process-handle.js';
import type { ForkSource, WorkerLimits, WorkerSpec } from './types.js';
import { workerCommand } from './worker-command.js';

/**
 * Starts the process of a worker: forked where there is a server to fork from, else spawned.
 *
 * @throws RunnerError `start_failed` when it cannot be started
 */
export async function startProcess(
  { spec, limits }: { spec: WorkerSpec; limits: WorkerLimits },
  channel: DescriptorChannel | undefined,
  server: ForkSource | undefined,
  listeners: ProcessListeners,
): Promise<ProcessHandle> {
  const standsBack = spec.resources?.nice === undefined;
  if (server) {
    const { ForkServer } = await import('./fork-server.js');
    if (server instanceof ForkServer) {
      return server.fork({ channel, standsBack, maxFrameBytes: limits.maxFrameBytes }, listeners);
    }
  }
  const { WorkerProcess } = await import('./worker-process.js');
  const order = workerCommand(spec, limits, { hasChannel: channel !== undefined });
  return WorkerProcess.spawn(order, { cwd: spec.root, channel, standsBack }, listeners);
}
