/** A logger of the host, as pino and bunyan are and as `console` will do: one method for each level. */
export interface HostLogger {
  /** Details that nobody reads unless something is searched. */
  debug: (fields: object, message: string) => void;
  /** What happens. */
  info: (fields: object, message: string) => void;
  /** What may become a fault. */
  warn: (fields: object, message: string) => void;
  /** A fault, such as a traceback. */
  error: (fields: object, message: string) => void;
}

/** Bounds on the logs of workers on disk: `<store>/logs/workers/<name>/<version>/<worker>.jsonl`. */
export interface WorkerLogOptions {
  /** Whether they are written. @defaultValue true */
  enabled?: boolean;
  /** Of one file; past it the file becomes `<worker>.1.jsonl`, and the one before goes. @defaultValue 8 MiB */
  maxBytes?: number;
  /** Of all files together: the oldest go. @defaultValue 256 MiB */
  maxTotalBytes?: number;
  /** A file that was not written to for so long goes. @defaultValue 14 */
  maxDays?: number;
}

/** One line of such a file, as JSON, with further facts: fields of a structured line, `exception`, `dropped`… */
export interface WorkerLogLine {
  /** ISO 8601, UTC. */
  time: string;
  /** As logged; `error` for a traceback and for a worker that failed. */
  level: string;
  /** What was logged. */
  message: string;
  /** Id of the call that ran, or had run last. */
  request?: string;
  /** Product id of that call. */
  product_id?: string;
  /** Step of that call. */
  step?: number;
}
