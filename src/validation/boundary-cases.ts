import type { BoundaryCase } from '../package/types.js';

type Case = Pick<BoundaryCase, 'number' | 'title' | 'owedBy' | 'errorCode'>;

/** Boundary cases of the specification 0.2.1 (sections 3.7.1, 3.8.6, 3.9, 4.3), by its numbers; 0 is what all of them build on. */
const CASES: readonly [title: string, owedBy: string, errorCode?: string][] = [
  ['the worker starts and answers an ordinary call', 'worker, algorithm'],
  ['picture id unknown or file gone', 'host, worker', '1002'],
  ['image_meta lacks a field', 'host, algorithm', '1006'],
  ['picture larger or smaller than is sensible', 'algorithm', '1006'],
  ['picture cannot be decoded', 'host, worker', '1002'],
  ['picture empty or all black', 'algorithm', '1002'],
  ['parameter missing', 'host', '1006'],
  ['parameter of the wrong type', 'host', '1006'],
  ['parameter out of bounds', 'host', '1006'],
  ['region outside the picture', 'host', '1007'],
  ['product id not supported', 'host, algorithm', '1001'],
  ['no assets for a product id', 'host, algorithm', '1003'],
  ['configuration cannot be loaded', 'algorithm', '1003'],
  ['model cannot be loaded', 'algorithm', '1003'],
  ['GPU memory exhausted', 'algorithm, host', '1004'],
  ['file handles leak', 'host, algorithm'],
  ['pre_execute past its limit', 'algorithm, host', '1005'],
  ['execute past its limit', 'algorithm, host', '1005'],
  ['heartbeat lost', 'host', '1005'],
  ['process crashed', 'host', '1005'],
  ['bad JSON', 'worker, host'],
  ['frames joined or split', 'worker, host'],
  ['protocol versions do not fit', 'host'],
  ['more than 20 defect rects', 'algorithm'],
  ['a rect outside the picture in the answer', 'algorithm, host', '1007'],
  ['a field is missing in the answer', 'algorithm, host', '1006'],
  ['result_status is neither OK nor NG', 'algorithm, host', '1006'],
];

/** The table, in its order. */
export function boundaryCases(): Case[] {
  return CASES.map(([title, owedBy, errorCode], number) => ({
    number,
    title,
    owedBy: owedBy.split(', ') as BoundaryCase['owedBy'],
    ...(errorCode !== undefined && { errorCode }),
  }));
}
