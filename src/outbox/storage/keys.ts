import type { Lane, Priority } from '../types.js';
import type { Range } from './level.js';

/** From what is shed last to what is shed first. The place of each is a digit in keys and a byte in leaves: it never changes. */
export const PRIORITIES = ['health', 'business', 'diagnostics', 'ngPictures', 'okPictures'] as const;

/** What the store says of itself, which is delivered to nobody. */
export const INTERNAL = 9;

/** Priorities of a lane, the first to go first. */
export const LANES: Record<Lane, readonly Priority[]> = {
  records: ['health', 'business', 'diagnostics'],
  pictures: ['ngPictures', 'okPictures'],
};

/** In which order things are given up. */
export const SHED_ORDER: readonly Priority[] = [
  'okPictures',
  'diagnostics',
  'ngPictures',
  'business',
  'health',
];

/** The digit of a priority. */
export function digitOf(priority: Priority): number {
  return PRIORITIES.indexOf(priority);
}

/** Counters and heads: one value, written with each batch. */
export const STATE_KEY = 'state';

/** 16 digits hold every whole number of a double, so that keys sort as numbers do. */
function padded(index: number): string {
  return String(index).padStart(16, '0');
}

/** Key of a record. */
export function recordKey(digit: number, index: number): string {
  return `r${digit}${padded(index)}`;
}

/** Key of the mark of a record that waits for its retry, was put back, or was delivered before others that wait. */
export function dueKey(digit: number, index: number): string {
  return `d${digit}${padded(index)}`;
}

/** Key of the mark that a record was set aside. */
export function asideKey(index: number): string {
  return `a${padded(index)}`;
}

/** Key of the leaves of a batch, by the index of the first: they stay after their records. */
export function leavesKey(first: number): string {
  return `l${padded(first)}`;
}

/** Subtrees of fewer leaves are made anew from the leaves when they are asked for. */
export const LEAST_STORED_LEVEL = 8;

/** Key of an inner node of the Merkle tree. */
export function nodeKey(level: number, index: number): string {
  return `n${String(level).padStart(2, '0')}${padded(index)}`;
}

/** The index that ends a key. */
export function indexIn(key: string): number {
  return Number(key.slice(-16));
}

/** Keys with a prefix from an index on, up to and not including another. */
export function rangeOf(prefix: string, from = 0, to = Number.MAX_SAFE_INTEGER): Range {
  return { gte: prefix + padded(from), lt: prefix + padded(to) };
}
