/** A mark on requests. */
interface RequestMark {
  /** To be spread into a request. */
  mark: object;
  /** Whether a request, which may be anything, is marked. */
  isMarked: (request: unknown) => boolean;
}

/** A registered symbol, for the package may be loaded twice, as ES module and as CommonJS. No JSON and no caller gives it by chance. */
function requestMark(name: string): RequestMark {
  const key = Symbol.for(`procvision-runner.${name}`);
  return {
    mark: Object.freeze({ [key]: true }),
    isMarked: (request) => typeof request === 'object' && request !== null && key in request,
  };
}

/** Marks requests that are made beside the line, to judge a version and no product: of an acceptance, of a replay. */
export const { mark: BESIDE_LINE, isMarked: isBesideLine } = /* @__PURE__ */ requestMark('besideLine');

/** Marks an `execute` whose session was prepared before: what has not prepared it is not to execute it. */
export const { mark: AFTER_PRE, isMarked: isAfterPre } = /* @__PURE__ */ requestMark('afterPre');
