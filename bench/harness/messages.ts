/** What goes between the run and the process of a case. Each order is answered by one reply, in order. */
export type Order =
  | { do: 'prepare' }
  | { do: 'open'; contestant: string }
  | { do: 'round'; contestant: string }
  | { do: 'close' };

export type Reply =
  | { ok: true; contestants?: string[]; figures?: Record<string, number> }
  | { ok: false; unavailable?: string; error?: string };

/** Arguments of the process, as JSON in `process.argv[2]`. */
export interface CaseArguments {
  /** URL of the module of the case. */
  module: string;
  name: string;
  /** Folder of the build that is measured. */
  root: string;
  quick: boolean;
  folder: string;
  cache: string;
}
