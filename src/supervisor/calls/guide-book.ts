import { RunnerError } from '../../errors.js';
import { GuideFolder, type Guide } from '../../registry/guides.js';
import { activationLog } from '../../registry/records.js';
import type { Registry } from '../../registry/registry.js';
import type { RegistryEntry } from '../../registry/types.js';
import { noteAudit } from '../../store/audit-log.js';
import { asStoreError } from '../../store/store-error.js';
import type { InspectionRequest } from '../types.js';

/** Guides whose pixels are kept in memory, by their bytes; those used longest ago go first. */
const MOST_BYTES = 256 * 1024 * 1024;
/** Warning in the result of a call whose picture was compared with itself. */
export const COMPARED_WITH_ITSELF =
  "The picture was compared with itself (guideImage: 'same'): a difference from a good picture could not be found";

/** A call with the guide that its picture is to be compared with, and the warnings about that. */
export interface GuidedRequest {
  request: InspectionRequest;
  warnings: string[];
}

/**
 * Finds the guide picture of a call. The SDK of the execute-only generation demands two pictures, and compared with itself
 * each board is good: that is somebody's decision, never what happens when nobody says anything.
 */
export class GuideBook {
  readonly #registry: Registry;
  readonly #folder: GuideFolder;
  readonly #kept = new Map<string, { mark: string; guide: Guide }>();
  readonly #noted = new Set<string>();

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#folder = new GuideFolder(registry.layout, registry.durability);
  }

  /**
   * @param isWarmUp - nobody is given its verdict: without a guide, the picture does for one
   * @throws RunnerError `invalid_params` for a call without a guide to a version that demands one; `store_damaged`
   * for a registered guide that was changed on disk
   */
  complete(
    request: InspectionRequest,
    entry: RegistryEntry,
    { isWarmUp = false }: { isWarmUp?: boolean } = {},
  ): GuidedRequest | Promise<GuidedRequest> {
    const { guideImage } = request;
    if (entry.generation !== 'execute-only') return { request, warnings: [] };
    if (guideImage === undefined) return this.#withRegistered(request, entry, isWarmUp);
    if (guideImage !== 'same') return { request, warnings: [] };
    const compared = { request, warnings: [COMPARED_WITH_ITSELF] };
    return isWarmUp || !this.#isNew(request, entry)
      ? compared
      : this.#note(request, entry).then(() => compared);
  }

  async #withRegistered(
    request: InspectionRequest,
    entry: RegistryEntry,
    isWarmUp: boolean,
  ): Promise<GuidedRequest> {
    const { guideInfo, productId, stepIndex } = request;
    const guide = productId === undefined ? undefined : await this.#guide(productId, stepIndex);
    if (!guide && isWarmUp) return { request: { ...request, guideImage: 'same' }, warnings: [] };
    if (!guide) throw noGuide(request, entry);
    return {
      request: { ...request, guideImage: guide.image, guideInfo: guideInfo ?? guide.info },
      warnings: [],
    };
  }

  /** From memory, as long as nobody has registered another; also while the store cannot be reached. */
  async #guide(productId: string, stepIndex: number): Promise<Guide | undefined> {
    const key = JSON.stringify([productId, stepIndex]);
    const last = this.#kept.get(key);
    const mark = await this.#folder.mark(productId, stepIndex).catch((error: unknown) => {
      if (last) return last.mark;
      throw asStoreError(error, `look for the guide picture of ${productId}, step ${stepIndex}`);
    });
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    if (mark === undefined) return undefined;
    const guide = kept?.mark === mark ? kept.guide : await this.#registry.guide(productId, stepIndex);
    if (!guide) return undefined;
    this.#kept.set(key, { mark, guide });
    this.#forgetOldest();
    return guide;
  }

  #forgetOldest(): void {
    let bytes = 0;
    for (const { guide } of this.#kept.values()) bytes += guide.image.data.length;
    for (const [key, { guide }] of this.#kept) {
      if (bytes <= MOST_BYTES || this.#kept.size === 1) return;
      bytes -= guide.image.data.length;
      this.#kept.delete(key);
    }
  }

  /** Once for each version, product id and step: a line for each picture would push all others out of the log. */
  #isNew({ productId, stepIndex }: InspectionRequest, { name, version }: RegistryEntry): boolean {
    const key = JSON.stringify([name, version, productId, stepIndex]);
    if (this.#noted.has(key)) return false;
    this.#noted.add(key);
    return true;
  }

  async #note({ productId, stepIndex }: InspectionRequest, { name, version }: RegistryEntry): Promise<void> {
    await noteAudit(activationLog(this.#registry.layout), {
      ...{ operation: 'compare with itself', name, version },
      ...{
        pids: productId === undefined ? [] : [productId],
        step_index: stepIndex,
        reason: "guideImage: 'same'",
      },
    });
  }
}

function noGuide({ productId, stepIndex }: InspectionRequest, { name, version }: RegistryEntry): RunnerError {
  const whose =
    productId === undefined
      ? 'the request has no product id'
      : `none is registered for ${productId}, step ${stepIndex}`;
  return new RunnerError(
    'invalid_params',
    `${name} ${version} compares each picture with a guide picture, and the request brings none (${whose}). Register one ` +
      "with registry.setGuide({ productId, stepIndex, image }), or hand it over as guideImage; guideImage: 'same' " +
      'compares the picture with itself',
    {
      details: {
        path: 'guideImage',
        name,
        version,
        ...(productId !== undefined && { productIds: [productId] }),
      },
    },
  );
}
