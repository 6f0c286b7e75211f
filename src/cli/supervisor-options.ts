import type { RunnerOptions } from 'procvision-runner';

/** What `--worker` and `--workers` say. */
export function supervisorOptions(
  options: Readonly<Record<string, unknown>>,
): NonNullable<RunnerOptions['supervisor']> {
  const { worker, workers } = options as { worker?: 'sdk' | 'bundled'; workers?: number };
  return { worker, ...(workers !== undefined && { policy: { workers } }) };
}
