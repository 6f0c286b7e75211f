import type { OperationOptions } from '../../abort.js';

/** What to record, and how much of it. */
export interface RecordOptions extends OperationOptions {
  /** Folder of the recording, empty or not there; a recording that is there is continued. One recorder at a time. */
  directory: string;
  /** Product ids whose calls are recorded. @defaultValue every call, also those with a target */
  productIds?: string[];
  /** Old name of `productIds`. @deprecated use `productIds`: it stays for one minor version */
  pids?: string[];
  /** Bytes the recording may take, at no moment more; the oldest calls make room for new ones. @defaultValue 1 GiB */
  maxBytes?: number;
  /**
   * Calls that may be on their way to the disk, each holding its frame while that is copied; further ones are left out,
   * and so are all while frames in use take more than half of the pool. @defaultValue 8
   */
  maxPending?: number;
}

/** How a recording stands. */
export interface RecordingStatus {
  /** Folder of the recording. */
  directory: string;
  /** Calls in the folder. */
  calls: number;
  /** Bytes of the recording, room for calls that are being written included. */
  bytes: number;
  /** Calls that were dropped to make room. */
  dropped: number;
  /** Calls that were left out because the disk was too slow, or refused them, or the bound is too small for them. */
  skipped: number;
  /** Why a call was left out last, unless the disk was too slow. */
  lastError: Error | undefined;
}

/** A recording that is being made. */
export interface Recording extends AsyncDisposable {
  /** How far it is. */
  status(): RecordingStatus;
  /** Takes no more calls; resolves when those that were taken are on disk. */
  stop(): Promise<RecordingStatus>;
}
