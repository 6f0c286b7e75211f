/** File formats that are known by their first bytes. */
export type EncodedFormat = 'JPEG' | 'PNG' | 'BMP' | 'TIFF' | 'WEBP';

/**
 * What the header of a picture says. It is read before anything is decoded: an unusable picture is refused by its header
 * alone.
 */
export interface EncodedHeader {
  format: EncodedFormat;
  /** As stored, before a turn. */
  width: number;
  /** As stored, before a turn. */
  height: number;
  /** Of what is decoded: without alpha, and a palette's colours. */
  channels: 1 | 3;
  /** Of a value; fewer than 8 count as 8. */
  bits: 8 | 16;
  /** In which order its channels are decoded. @defaultValue 'RGB' */
  order?: 'BGR';
  /** Whether it has a channel more than colours, and does not say which (TIFF). @defaultValue false */
  hasUnnamedChannel?: boolean;
  /** How it is to be turned for display: 1 to 8, as EXIF numbers it. */
  orientation: number;
}

/** What stands in the way. */
export interface HeaderFault {
  fault: string;
}
