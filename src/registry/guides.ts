import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import { npyHeader } from '../frames/npy.js';
import { readNpy } from '../frames/npy-reader.js';
import type { FrameMeta, ImageInput } from '../frames/types.js';
import { makeFolder, readJson, syncFile, writeJsonAtomic, type Durability } from '../store/atomic-file.js';
import { isRecord } from '../arguments.js';
import { errnoCode, isMissing } from '../store/errno.js';
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
    await this.#refuseOther(productId);
    await makeFolder(folder, this.#durability);
    const header = npyHeader(height, width, channels);
    const sha256 = createHash('sha256').update(header).update(data).digest('hex');
    // A name of its own each time: written in place, the pixels that are registered would be lost to a disk that is full.
    const file = `${stepIndex}-${sha256.slice(0, 16)}-${randomUUID().slice(0, 8)}.npy`;
    const pixels = path.join(folder, file);
    const setAt = new Date().toISOString();
    const description: GuideFile = {
      ...{ product_id: productId, step_index: stepIndex, file, color_space: colorSpace, info, sha256 },
      ...{ set_at: setAt, operator },
    };
    const place = this.#description(productId, stepIndex);
    try {
      await writeWhole(pixels, [header, data], this.#durability);
      await writeJsonAtomic(place, description, this.#durability);
    } catch (error) {
      const isNamed = async () => (await readDescription(place))?.file === file; // the disk may have failed behind it
      if (!(await isNamed().catch(() => true))) await rm(pixels, { force: true }).catch(() => undefined);
      throw error;
    }
    await this.#removePixels(folder, stepIndex, file);
    return guideOf(description, { data, width, height, channels });
  }

  /** Under the store's lock. Whether there was one. */
  async remove(productId: string, stepIndex: number): Promise<boolean> {
    const description = this.#description(productId, stepIndex);
    if (!(await stat(description).catch(() => undefined))) return false;
    if ((await otherIdIn(description, productId)) !== undefined) return false;
    await removeCopy(description);
    await this.#removePixels(this.#folder(productId), stepIndex, undefined);
    return true;
  }

  /** @throws RunnerError `store_damaged` when its pixels are not those that were registered */
  async read(productId: string, stepIndex: number, { signal }: OperationOptions): Promise<Guide | undefined> {
    const place = this.#description(productId, stepIndex);
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      let file = place;
      try {
        const description = await readDescription(place);
        // A file system that folds case has one folder for two ids: the guide of the other one is none.
        if (description?.product_id !== productId) return undefined;
        file = path.join(path.dirname(place), path.basename(description.file));
        const bytes = await readFile(file);
        const found = createHash('sha256').update(bytes).digest('hex');
        if (found !== description.sha256)
          throw new Error(`its SHA-256 is ${found}, not ${description.sha256}`);
        return guideOf(description, readNpy(bytes, file));
      } catch (cause) {
        const code = errnoCode(cause);
        if (attempt < ATTEMPTS && code === 'ENOENT') continue;
        if (code !== undefined && !isMissing(cause) && code !== 'EISDIR') throw cause; // the system refused to read it
        throw new RunnerError(
          'store_damaged',
          `The guide picture of ${productId}, step ${stepIndex}, cannot be used: ${file}: ${(cause as Error).message}. ` +
            'Register it again with registry.setGuide()',
          { cause, details: { path: file, productIds: [productId] } },
        );
      }
    }
  }

  /**
   * Changes with each change of the guide; undefined where there is none.
   * @throws the error of the system where the store cannot be reached, which says nothing about guides
   */
  async mark(productId: string, stepIndex: number): Promise<string | undefined> {
    try {
      const found = await stat(this.#description(productId, stepIndex), { bigint: true });
      return `${found.ino} ${found.mtimeNs} ${found.size}`;
    } catch (error) {
      if (isMissing(error) && existsSync(this.#layout.algorithms)) return undefined;
      throw error;
    }
  }

  /**
   * Two ids that differ in case alone have one folder where the file system folds case: the guide of the one would be
   * taken for that of the other.
   */
  async #refuseOther(productId: string): Promise<void> {
    const folder = this.#folder(productId);
    for (const name of await namesIn(folder)) {
      if (!/^\d+\.json$/.test(name)) continue;
      const other = await otherIdIn(path.join(folder, name), productId);
      if (other === undefined) continue;
      throw new RunnerError(
        'invalid_params',
        `The guide picture of ${JSON.stringify(productId)} cannot be kept beside those of ${JSON.stringify(other)}: the file ` +
          `system of ${this.#layout.guides} does not tell the two names apart. Remove those of ${JSON.stringify(other)} first, ` +
          'or hand the picture over with each call (guideImage)',
        { details: { path: 'productId', productIds: [productId, other] } },
      );
    }
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

/** @throws SyntaxError for a description that is cut off, TypeError where it names no pixels */
async function readDescription(file: string): Promise<GuideFile | undefined> {
  const value = await readJson(file);
  if (value === undefined) return undefined;
  if (isRecord(value) && typeof value.file === 'string' && typeof value.product_id === 'string')
    return value as unknown as GuideFile;
  throw new TypeError('it names no picture and product id');
}

/** The product id of a description, where it is that of another; what cannot be read is nobody's. */
async function otherIdIn(description: string, productId: string): Promise<string | undefined> {
  const { product_id: id } = (await readDescription(description).catch(() => undefined)) ?? {};
  return id === productId ? undefined : id;
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
