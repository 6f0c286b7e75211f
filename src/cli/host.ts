/** Streams and surroundings of a command line. */
export interface CliHost {
  argv: readonly string[];
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  /** Fires at Ctrl-C and at SIGTERM. */
  interrupted: AbortSignal;
}

/** Ends a command: one line, and the code it exits with. */
export class CliFailure extends Error {
  readonly exitCode: number;
  /** As an error of the library has it; `failed` where none of them says more. */
  readonly code: string;

  constructor(message: string, exitCode: number, code?: string) {
    super(message);
    this.name = 'CliFailure';
    this.exitCode = exitCode;
    this.code = code ?? CODES[exitCode] ?? 'failed';
  }
}

const CODES: Readonly<Record<number, string>> = { 2: 'invalid_params', 3: 'not_found' };

/** Exit codes, as scripts rely on them. */
export const EXIT = { done: 0, failed: 1, usage: 2, notFound: 3, interrupted: 130 } as const;

/** The command line is wrong. */
export function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}

/** What the command line names is not there. */
export function notFound(message: string): CliFailure {
  return new CliFailure(message, EXIT.notFound);
}
