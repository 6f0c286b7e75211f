/**
 * Marks requests that are made beside the line, to judge a version and no product: of an acceptance, of a replay. A registered symbol,
 * for the package may be loaded twice, as ES module and as CommonJS.
 */
const MARK = Symbol.for('procvision-runner.besideLine');

/** To be spread into a request. */
export const BESIDE_LINE: object = Object.freeze({ [MARK]: true });

/** Whether a request, which may be anything, is marked. */
export function isBesideLine(request: unknown): boolean {
  return typeof request === 'object' && request !== null && MARK in request;
}
