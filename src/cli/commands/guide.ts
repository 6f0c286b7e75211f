import type { Guide, Registry } from 'procvision-runner';
import { notFound, usage } from '../host.js';
import { nearest } from '../nearest.js';
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
    if (file !== undefined) await warnOfPlace(call, registry, productId, stepIndex);
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

/** A guide may be kept before its product id is active: what a slip of the hand may be is said all the same. */
async function warnOfPlace(
  { out }: Call,
  registry: Registry,
  productId: string,
  stepIndex: number,
): Promise<void> {
  const active = await registry.active();
  if (!active[productId]) {
    const near = nearest(productId, Object.keys(active));
    const hint = near === undefined ? '' : `. Did you mean ${near}?`;
    out.warn(`product id ${productId} is not active: the picture waits for a version that serves it${hint}`);
    return;
  }
  const { name, version, step_indexes: steps = [] } = await registry.resolve(productId);
  if (steps.length > 0 && !steps.includes(stepIndex))
    out.warn(`${name} ${version} has no step ${stepIndex}: its steps are ${steps.join(', ')}`);
}

function titleOf({ productId, stepIndex }: { productId: string; stepIndex: number }): string {
  return `${productId}, step ${stepIndex},`;
}
