import type { NameEncoding } from './types.js';

/** Encodings that names may have, as an option gives them; the platform's decoders call Windows' code pages so. */
export const NAME_ENCODINGS: readonly NameEncoding[] = [
  'utf-8',
  'gbk',
  'shift_jis',
  'big5',
  'euc-kr',
  'ibm866',
  'cp437',
  'windows-1252',
  'windows-1251',
  'koi8-r',
];
