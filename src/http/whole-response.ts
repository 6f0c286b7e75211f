const texts = new WeakMap<Response, string>();

/**
 * A response whose text is at hand: `toNodeListener` sends it in one piece, with its length, and reads no stream. For every other
 * reader it is a response like any other.
 */
export function wholeResponse(text: string, init: ResponseInit): Response {
  const response = new Response(text, init);
  texts.set(response, text);
  return response;
}

/** The text of a response that nobody has begun to read; undefined where it is not at hand. */
export function textOf(response: Response): string | undefined {
  return response.bodyUsed ? undefined : texts.get(response);
}
