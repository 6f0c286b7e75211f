/** One call that changes something on disk. */
export interface FileStep {
  /** Name of the function, such as `rename` or, of an open file, `write`. */
  call: string;
  /** Path it was called with; of an open file undefined. */
  path: string | undefined;
}

/** Which step: its number, from 1, or the first call of this name whose target ends so. */
export type FileStepPlace =
  | number
  | {
      /** Name of the function. */
      call: string;
      /** End of its path, where `/` is meant for any separator; of its second one, where it has two. */
      target: string;
    };

/** What to do at a step. */
export type FileStepPlan =
  /** Nothing: they are counted. */
  | {
      mode: 'count';
    }
  /** The step fails, once, with this code; a full disk lets half of a write through first. */
  | {
      mode: 'fail';
      at: FileStepPlace;
      /** As the system would say it. */
      code: 'ENOSPC' | 'EIO' | 'EACCES' | 'EPERM' | 'EMFILE' | 'EBUSY';
      /** How many steps fail, this one and those after it; `Infinity` for a disk that stays full. @defaultValue 1 */
      times?: number;
    }
  /** SIGKILL to this very process at the step; half of a write gets out first. For a process of the test's own. */
  | {
      mode: 'kill';
      at: FileStepPlace;
    }
  /** SIGSTOP to this very process at the step: it lives, and does nothing until it is continued. */
  | {
      mode: 'stop';
      at: FileStepPlace;
    };

/** A watch over the steps below a folder; it ends when it is disposed of. */
export interface FileSteps extends Disposable {
  /** How many there were. */
  readonly count: number;
  /** All of them, in order. */
  readonly steps: readonly FileStep[];
}
