import { lazily } from '../../options.js';
/** Which colours the first two pixels of a mosaic's first row have. */
export type BayerOrder = 'RG' | 'GB' | 'GR' | 'BG';

/** How pixels lie in memory, by the name that GenICam's Pixel Format Naming Convention (PFNC) has for it. */
export type PixelFormat =
  | 'Mono8'
  | 'Mono10'
  | 'Mono12'
  | 'Mono14'
  | 'Mono16'
  | 'Mono10p'
  | 'Mono12p'
  | 'RGB8'
  | 'BGR8'
  | 'RGBa8'
  | 'BGRa8'
  | 'YUV422_8'
  | `Bayer${BayerOrder}${8 | 10 | 12 | 16}`;

/** How values of more than 8 bits become 8: the lowest bits dropped, or `min` to `max` spread over 0 to 255. */
export type ToEightBits =
  | 'shift'
  | {
      /** The value that becomes 0, and all below it. */
      min: number;
      /** The value that becomes 255, and all above it. */
      max: number;
    };

/** What there is to know of a format. */
export interface FormatFacts {
  name: PixelFormat;
  /** Of a value. Those of 9 to 16 bits that are not packed lie in two bytes, the lower first. */
  bits: number;
  pixelBits: number;
  /** So many pixels begin at a whole byte again. */
  group: number;
  /** Of the frame that it becomes. */
  channels: 1 | 3;
  /** Of the frame that it becomes. */
  colorSpace: 'RGB' | 'BGR';
  /** What is to be done: `copy` nothing but copying. */
  kind: 'copy' | 'wide' | 'packed' | 'rgba' | 'bgra' | 'yuv' | 'bayer';
  bayer?: BayerOrder;
}

/** All formats by name. */
export const formats: () => ReadonlyMap<string, FormatFacts> = /* @__PURE__ */ lazily(() => {
  const all: FormatFacts[] = [
    fact('Mono8', 'copy', 8),
    ...([10, 12, 14, 16] as const).map((bits) => fact(`Mono${bits}`, 'wide', bits)),
    { ...fact('Mono10p', 'packed', 10), pixelBits: 10, group: 4 },
    { ...fact('Mono12p', 'packed', 12), pixelBits: 12, group: 2 },
    { ...fact('RGB8', 'copy', 8), pixelBits: 24, channels: 3 as const },
    { ...fact('BGR8', 'copy', 8), pixelBits: 24, channels: 3 as const, colorSpace: 'BGR' as const },
    { ...fact('RGBa8', 'rgba', 8), pixelBits: 32, channels: 3 as const },
    { ...fact('BGRa8', 'bgra', 8), pixelBits: 32, channels: 3 as const },
    { ...fact('YUV422_8', 'yuv', 8), pixelBits: 16, group: 2, channels: 3 as const },
    ...(['RG', 'GB', 'GR', 'BG'] as const).flatMap((bayer) =>
      ([8, 10, 12, 16] as const).map((bits) => ({
        ...fact(`Bayer${bayer}${bits}`, 'bayer', bits),
        ...{ channels: 3 as const, bayer },
      })),
    ),
  ];
  return new Map(all.map((one) => [one.name, one]));
});

function fact(name: PixelFormat, kind: FormatFacts['kind'], bits: number): FormatFacts {
  const pixelBits = bits > 8 ? 16 : 8;
  return { name, kind, bits, pixelBits, group: 1, channels: 1, colorSpace: 'RGB' };
}

/** Whether values of more than 8 bits can be handed on as they are: a mosaic is demosaiced with 8. */
export function isWideGray({ kind }: FormatFacts): boolean {
  return kind === 'wide' || kind === 'packed';
}

/** Whether a version takes values of this format as they are, by its manifest's `image_formats`: by the format's name, or Mono16. */
export function isTaken(format: FormatFacts, imageFormats: readonly string[]): boolean {
  return isWideGray(format) && (imageFormats.includes(format.name) || imageFormats.includes('Mono16'));
}

/** Bytes of a row without padding; a row that ends within a byte takes all of it. */
export function rowBytesOf({ pixelBits }: FormatFacts, width: number): number {
  return Math.ceil((width * pixelBits) / 8);
}
