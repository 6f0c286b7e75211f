/**
 * What goes over the socket between a {@link FakeWorker} and each of its processes: one JSON object a line. The process
 * is a puppet that decides nothing, so that a script is plain code in the test's own process.
 */

/** Orders to a process, in sequence. */
export type Order =
  /** Report the next message from stdin. Nothing is read before. */
  | { do: 'read' }
  /** Write these bytes (base64) to stdout. */
  | { do: 'output'; bytes: string }
  /** Write this to stderr. */
  | { do: 'log'; text: string }
  /** Close stdout and live on. */
  | { do: 'close-output' }
  /** Do not die of this signal. */
  | { do: 'ignore'; signal: NodeJS.Signals }
  /** Die of this signal. */
  | { do: 'die'; signal: NodeJS.Signals }
  /** Leave with this exit code. */
  | { do: 'exit'; code: number };

/** What a process tells. */
export type Report =
  /** First of all. */
  | {
      kind: 'here';
      pid: number;
      parent: number;
      directory: string;
      environment: Record<string, string>;
    }
  /** The message that was to be read; undefined at the end of the input. */
  | { kind: 'read'; message?: Record<string, unknown> };
