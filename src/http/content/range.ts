/**
 * The bytes that a request asks for (RFC 9110, 14.2), both ends inclusive. Undefined for all: without the header, with several ranges,
 * with another unit, and where `If-Range` names something else.
 *
 * @returns `beyond` where there is no such byte
 */
export function readRange(
  headers: Headers,
  sizeBytes: number,
  etag: string,
): { from: number; to: number } | 'beyond' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,16})-(\d{0,16})$/.exec(headers.get('range') ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const condition = headers.get('if-range');
  if (condition !== null && condition !== etag) return undefined;
  if (first === '') {
    const bytes = Math.min(Number(last), sizeBytes);
    return bytes === 0 ? 'beyond' : { from: sizeBytes - bytes, to: sizeBytes - 1 };
  }
  const from = Number(first);
  if (last !== '' && Number(last) < from) return undefined;
  if (from >= sizeBytes) return 'beyond';
  return { from, to: Math.min(last === '' ? sizeBytes - 1 : Number(last), sizeBytes - 1) };
}
