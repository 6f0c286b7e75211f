const BOM = '\ufeff';

/**
 * A small text file of a package: UTF-8, with or without BOM, else GBK, in which Chinese Windows writes. Undefined
 * when it is neither.
 */
export function decodeText(bytes: Uint8Array): string | undefined {
  for (const encoding of ['utf-8', 'gbk']) {
    try {
      const text = new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
      return text.startsWith(BOM) ? text.slice(1) : text;
    } catch {
      // not this one
    }
  }
  return undefined;
}
