import { createHash } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import { npyHeader } from '../frames/npy.js';
import { readNpy } from '../frames/npy-reader.js';
import type { FrameMeta, ImageInput } from '../frames/types.js';
import { makeFolder, readJson, syncFile, writeJsonAtomic, type Durability } from '../store/atomic-file.js';
import { orNone } from '../store/errno.js';
import { encodeFileName } from '../store/file-names.js';
import type { StoreLayout } from '../store/layout.js';
import { namesIn } from '../store/names-in.js';
import { removeCopy } from './published.js';

/** Where to look, as a guide names it. */
export type GuideInfo = {
  /** Name of what the region shows. */
  label?: string;
  /** Its boxes, in pixels of the picture. */
  posList: {
    /** Of the left edge. */
    x: number;
    /** Of the top edge. */
    y: number;
    /** Pixels. */
    width: number;
    /** Pixels. */
    height: number;
  }[];
}[];

/** Whose guide it is. */
export interface GuidePlace {
  /** Product id whose calls use it. */
  productId: string;
  /** Step whose calls use it: a whole number from 0. */
  stepIndex: number;
  /** Who asks, for the audit log. */
  operator?: string;
}

/** The picture that those of a product id and step are compared with, for `Registry.setGuide`. */
export interface GuideSource extends GuidePlace {
  /** The picture; it is kept as pixels, whatever it is handed over as. */
  image: ImageInput;
  /** What the algorithm gets as `guide_info`, where a request has neither a guide picture nor such a list. @defaultValue none */
  info?: GuideInfo;
}

/** A registered guide. */
export interface Guide {
  /** Product id whose calls use it. */
  productId: string;
  /** Step whose calls use it. */
  stepIndex: number;
  /** Its pixels, read anew for each caller. */
  image: {
    /** Height × width × channels bytes, row-major. */
    data: Uint8Array;
  } & Required<Pick<FrameMeta, 'width' | 'height' | 'channels' | 'colorSpace'>>;
  /** Where to look. */
  info?: GuideInfo;
  /** SHA-256 of the file that holds its pixels, lower-case hex. */
  sha256: string;
  /** ISO 8601, UTC. */
  setAt: string;
  /** Who registered it. */
  operator?: string;
}

/** What `<root>/guides/<product id>/<step>.json` holds. */
interface GuideFile {
  product_id: string;
  step_index: number;
  /** Name of the file with the pixels, beside this one. */
  file: string;
  color_space: 'RGB' | 'BGR';
  info?: GuideInfo;
  sha256: string;
  set_at: string;
  operator?: string;
}

/** Another process may replace a guide between the look at its description and the look at its pixels. */
const ATTEMPTS = 3;

/**
 * The guides of a store: a file of pixels and its description for each product id and step. The description is written
 * last, and names the pixels with their checksum, so that a guide is whole or not there.
 */
export class GuideFolder {
  readonly #layout: StoreLayout;
  readonly #durability: Durability;

  constructor(layout: StoreLayout, durability: Durability) {
    this.#layout = layout;
    this.#durability = durability;
  }

  /** Under the store's lock: what an older guide of the place had goes. */
  async write(
    { productId, stepIndex, info, operator }: GuideSource,
    { data, width, height, channels, colorSpace }: Guide['image'],
  ): Promise<Guide> {
    const folder = this.#folder(productId);
    await makeFolder(folder, this.#durability);
    const header = npyHeader(height, width, channels);
    const sha256 = createHash('sha256').update(header).update(data).digest('hex');
    const file = `${stepIndex}-${sha256.slice(0, 16)}.npy`;
    await writeWhole(path.join(folder, file), [header, data], this.#durability);
    const setAt = new Date().toISOString();
    const description: GuideFile = {
      ...{ product_id: productId, step_index: stepIndex, file, color_space: colorSpace, info, sha256 },
      ...{ set_at: setAt, operator },
    };
    await writeJsonAtomic(this.#description(productId, stepIndex), description, this.#durability);
    await this.#removePixels(folder, stepIndex, file);
    return guideOf(description, { data, width, height, channels });
  }

  /** Under the store's lock. Whether there was one. */
  async remove(productId: string, stepIndex: number): Promise<boolean> {
    const description = this.#description(productId, stepIndex);
    if (!(await stat(description).catch(() => undefined))) return false;
    await removeCopy(description);
    await this.#removePixels(this.#folder(productId), stepIndex, undefined);
    return true;
  }

  /** @throws RunnerError `store_damaged` when its pixels are not those that were registered */
  async read(productId: string, stepIndex: number, { signal }: OperationOptions): Promise<Guide | undefined> {
    const place = this.#description(productId, stepIndex);
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      const description = (await readJson(place)) as GuideFile | undefined;
      if (description === undefined) return undefined;
      const file = path.join(path.dirname(place), path.basename(description.file));
      try {
        const bytes = await readFile(file);
        const found = createHash('sha256').update(bytes).digest('hex');
        if (found !== description.sha256)
          throw new Error(`its SHA-256 is ${found}, not ${description.sha256}`);
        return guideOf(description, readNpy(bytes, file));
      } catch (cause) {
        if (attempt < ATTEMPTS && (cause as NodeJS.ErrnoException).code === 'ENOENT') continue;
        throw new RunnerError(
          'store_damaged',
          `The guide picture of ${productId}, step ${stepIndex}, cannot be used: ${file}: ${(cause as Error).message}. ` +
            'Register it again with registry.setGuide()',
          { cause, details: { path: file, productIds: [productId] } },
        );
      }
    }
  }

  /** Changes with each change of the guide; undefined where there is none. */
  async mark(productId: string, stepIndex: number): Promise<string | undefined> {
    // Where the system has no descriptor left, a guide that is there is not "none".
    const found = await stat(this.#description(productId, stepIndex), { bigint: true }).catch(
      orNone(undefined),
    );
    return found && `${found.ino} ${found.mtimeNs} ${found.size}`;
  }

  #folder(productId: string): string {
    return path.join(this.#layout.guides, encodeFileName(productId));
  }

  #description(productId: string, stepIndex: number): string {
    return path.join(this.#folder(productId), `${stepIndex}.json`);
  }

  async #removePixels(folder: string, stepIndex: number, kept: string | undefined): Promise<void> {
    for (const name of await namesIn(folder)) {
      const isOld = name.startsWith(`${stepIndex}-`) && name !== kept;
      if (isOld) await removeCopy(path.join(folder, name));
    }
  }
}

function guideOf(
  { product_id, step_index, info, sha256, set_at, operator, color_space }: GuideFile,
  image: Omit<Guide['image'], 'colorSpace'>,
): Guide {
  return {
    productId: product_id,
    stepIndex: step_index,
    image: { ...image, colorSpace: color_space },
    ...(info && { info }),
    sha256,
    setAt: set_at,
    ...(operator !== undefined && { operator }),
  };
}

async function writeWhole(file: string, parts: readonly Uint8Array[], durability: Durability): Promise<void> {
  const handle = await open(file, 'w');
  try {
    for (const part of parts) await handle.writeFile(part);
    if (durability === 'full') await syncFile(handle);
  } finally {
    await handle.close();
  }
}
