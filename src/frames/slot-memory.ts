/** Memory that a slot keeps its header, its pixels and its trailer in, and that workers map. */
export interface SlotMemory {
  /** The whole of it. Another one after a view was revoked. */
  readonly buffer: ArrayBuffer;
  /** To be handed to a worker (Linux); undefined where a name leads to it. */
  readonly descriptor: number | undefined;
  /** By which a worker finds it (Windows); undefined where a descriptor leads to it. */
  readonly name: string | undefined;
  /** Whether so many revoked views are still kept that the next one must be none of this memory. */
  readonly isCrowded: boolean;
  /** Parts every view on `buffer` from what comes next. What is in it stays for the calls that run. */
  revoke(): void;
  /** Something else is going to be written: views that were revoked do not see it. @throws RunnerError `pool_full` */
  renew(): void;
  /** Writes its first bytes to a file, in place of an older file. @throws an error of the system */
  copyTo(file: string, length: number): Promise<void>;
  /** Gives it up; who has mapped it keeps it. */
  close(): Promise<void>;
}
