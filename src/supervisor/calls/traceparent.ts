/** `version-traceid-parentid-flags` (W3C Trace Context, 3.2); a later version may have more after the flags. */
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]{1,200})?$/;

/** What a `traceparent` must be. */
export const TRACEPARENT_RULE = 'must be a traceparent of W3C Trace Context, such as 00-<32 hex>-<16 hex>-01';

/** Whether a value is a `traceparent`: only version 00 must end with its flags. */
export function isTraceparent(value: unknown): value is string {
  return (
    typeof value === 'string' && TRACEPARENT.test(value) && (value.length === 55 || !value.startsWith('00'))
  );
}
