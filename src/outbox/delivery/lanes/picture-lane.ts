import type { ArtifactRecord } from '../../records.js';
import type { DueItem } from '../../types.js';
import type { Outcome } from '../targets/port.js';
import { makeAttempt, type AttemptBounds } from './attempt.js';
import { Lane, type Gathered, type LaneContext, type LaneSettings } from './lane.js';
import { PictureFile } from './picture-file.js';

/** Pictures that are looked at for small ones, past the threshold. */
const MOST_LOOKED = 1_000;

/** Pictures, one at a time; past the threshold cut-outs and thumbnails go before whole pictures. */
export class PictureLane extends Lane {
  constructor(context: LaneContext) {
    super('pictures', context);
  }

  protected async gather(): Promise<Gathered & { retryAt?: number | undefined }> {
    const { queue, isDegraded } = this.context;
    const limit = isDegraded() ? MOST_LOOKED : 1;
    const { items, retryAt } = await queue.due('pictures', { limit });
    const small = limit > 1 ? items.find(isSmall) : undefined;
    const next = small ?? items[0];
    return next ? { items: [next] } : { waitMs: Infinity, retryAt };
  }

  protected async send(
    items: readonly DueItem[],
    { target }: LaneSettings,
    bounds: (bytes: number) => AttemptBounds,
  ): Promise<Outcome> {
    const [item] = items;
    if (!item?.picture) return { state: 'refused', reason: 'The record names no file of a picture' };
    const picture = new PictureFile(item.body as ArtifactRecord, item.picture);
    const fault = await picture.look();
    if (fault !== undefined) return { state: 'refused', reason: fault };
    const { size_bytes: bytes } = picture.artifact;
    const outcome = await makeAttempt((attempt) => target.sendPicture(picture, attempt), bounds(bytes));
    // What the disk gave is not the picture: no attempt will mend that.
    if (outcome.state === 'failed' && picture.damage !== undefined) {
      return { state: 'refused', reason: picture.damage };
    }
    return outcome;
  }
}

function isSmall({ body, picture }: DueItem): boolean {
  return picture?.isThumbnail === true || (body as ArtifactRecord).type === 'roi_crop';
}
