import path from 'node:path';
import { isRecord } from '../arguments.js';
import { isSafeFolderName } from '../store/file-names.js';
import type { StoreLayout } from '../store/layout.js';
import type { ParameterValues } from '../parameters/types.js';
import type { ActiveMapping, RegistryEntry } from './types.js';

/**
 * Whether a value from a file can stand as the entry of a version. A name that cannot be a folder's is nobody's: each
 * operation would fail at it.
 */
export function isEntry(value: unknown): value is RegistryEntry {
  return (
    isRecord(value) &&
    isName(value.name) &&
    isName(value.version) &&
    typeof value.entry_point === 'string' &&
    Array.isArray(value.supported_pids) &&
    value.supported_pids.every((pid) => typeof pid === 'string')
  );
}

/** Whether a value from a file can stand as the mapping of a product id. */
export function isMapping(value: unknown): value is ActiveMapping {
  return (
    isRecord(value) &&
    typeof value.pid === 'string' &&
    typeof value.name === 'string' &&
    typeof value.version === 'string' &&
    typeof value.activated_at === 'string' &&
    (value.history === undefined || (Array.isArray(value.history) && value.history.every(isPast)))
  );
}

function isPast(value: unknown): boolean {
  return isRecord(value) && typeof value.name === 'string' && typeof value.version === 'string';
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && isSafeFolderName(value);
}

/** What a change is about, for the audit log. */
export interface ChangeRecord {
  name?: string;
  version?: string;
  pids: string[];
  operator?: string;
  force?: boolean;
  policy?: Readonly<Record<string, unknown>>;
  params?: ParameterValues;
  reason?: string;
}

/** The audit log of what serves which product id, and of what it is compared with. */
export function activationLog({ logs }: StoreLayout): string {
  return path.join(logs, 'package_activate.log');
}
