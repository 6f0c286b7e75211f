import type { Guide } from 'procvision-runner';
import { notFound, usage } from '../host.js';
import type { Call } from '../spec.js';
import { findFile, withRegistry } from '../store.js';

export async function run(call: Call): Promise<undefined> {
  const { words, out, options, operator, signal } = call;
  const [productId = '', picture] = words;
  const { step: stepIndex, clear, info } = options as { step: number; clear?: true; info?: unknown[] };
  if (clear && picture !== undefined) throw usage('guide takes a picture or --clear, not both');
  if (info !== undefined && picture === undefined)
    throw usage('--info goes with a picture: guide ID PICTURE');
  const file = picture === undefined ? undefined : await findFile(call, picture, 'picture');
  await withRegistry(call, async (registry) => {
    const place = { productId, stepIndex, signal };
    if (clear) {
      await registry.removeGuide({ ...place, operator });
      out.result({ product_id: productId, step_index: stepIndex }, `${titleOf(place)} has no guide any more`);
      return;
    }
    const guide =
      file === undefined
        ? await registry.guide(productId, stepIndex, { signal })
        : await registry.setGuide({ ...place, image: { file }, info: info as Guide['info'], operator });
    if (!guide) throw notFound(`${titleOf(place)} has no guide: guide ${productId} PICTURE keeps one`);
    const { width, height, channels } = guide.image;
    out.result(
      {
        ...{ product_id: productId, step_index: stepIndex, width, height, channels },
        ...{ sha256: guide.sha256, info: guide.info },
      },
      `${titleOf(place)} is compared with a picture of ${width} x ${height}, SHA-256 ${guide.sha256}`,
    );
  });
  return undefined;
}

function titleOf({ productId, stepIndex }: { productId: string; stepIndex: number }): string {
  return `${productId}, step ${stepIndex},`;
}
