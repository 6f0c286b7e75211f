import { isRecord } from '../arguments.js';
import { toEightBits } from '../frames/options.js';
import type { ImageInput } from '../frames/types.js';
import {
  abortSignal,
  callback,
  choice,
  Door,
  duration,
  flag,
  group,
  lazily,
  must,
  name,
  number,
  option,
  productId,
  text,
  whole,
} from '../options.js';
import type { VersionRef } from '../package/types.js';
import { isPicture } from '../runner/options.js';
import { sequentialTestShape } from '../supervisor/switching/sequential-test.js';
import type { AcceptanceOptions, AnnotateOptions } from './types.js';

const version = () => group<VersionRef>({ name: name(), version: name() });

/** What the calls of this room take. */
export const doors = /* @__PURE__ */ lazily(() => ({
  acceptance: new Door<AcceptanceOptions>('acceptance(runner, folder, { target })', {
    target: must(version()),
    against: version(),
    productId: productId(),
    ...sequentialTestShape(),
    stepIndex: whole(0),
    userParams: option('record', 'must be an object', isRecord),
    guideImage: option<ImageInput | string>('picture', "must be an image, a path or 'same'", isPicture),
    timeoutMs: duration(1),
    orientation: choice('apply', 'ignore'),
    decode: choice('host', 'package'),
    toEightBits: toEightBits(),
    stopWhenDecided: flag(),
    seed: whole(1, 0xffff_ffff),
    report: text(),
    onProgress: callback(),
    signal: abortSignal(),
  }),
  annotate: new Door<AnnotateOptions>('annotatedPicture(picture, result, options)', {
    ...{ maxSide: number(1, Infinity), signal: abortSignal() },
  }),
}));
