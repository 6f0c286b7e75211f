import { RunnerError } from '../errors.js';
import type { Generation } from '../package/types.js';
import { givenProductId } from '../product-ids.js';
import type { WorkerCall } from './types.js';

/** Read from `hello`: `execute` among the capabilities means execute-only. */
export function generationOf(capabilities: readonly string[]): Generation {
  return capabilities.includes('execute') ? 'execute-only' : 'phased';
}

/**
 * Holds what a worker says it is against what it should be. The calls of one generation mean nothing to the other, and
 * what is known of the version (its product ids, its steps) was read from the registered one.
 *
 * @throws RunnerError `start_failed`
 */
export function checkGeneration(
  title: string,
  expected: Generation | undefined,
  { capabilities, sdkVersion }: { capabilities: readonly string[]; sdkVersion: string },
): Generation {
  const found = generationOf(capabilities);
  if (expected === undefined || found === expected) return found;
  throw new RunnerError(
    'start_failed',
    `${title} is registered as ${expected}, and its worker (SDK ${sdkVersion}) says that it is ${found}: its SDK was replaced ` +
      'after its check. Install the version again with force',
    { details: { stage: 'hello', raw: { capabilities, sdkVersion } } },
  );
}

/** `data` of a call frame, in the terms of the generation. @throws RunnerError `unsupported_phase`, `invalid_params` */
export function callData(generation: Generation, call: WorkerCall): Record<string, unknown> {
  return generation === 'phased' ? phasedData(call) : executeOnlyData(call);
}

function phasedData(call: WorkerCall): Record<string, unknown> {
  const { phase, image, session = { id: 'session', context: {} }, userParams = {} } = call;
  const pid = givenProductId('worker.call({ productId })', call) ?? '';
  const step = stepIndexOf(call);
  const data = { phase, step_index: step, pid, session, user_params: userParams };
  return image ? Object.assign(data, { shared_mem_id: image.id, image_meta: image.meta }) : data;
}

function executeOnlyData(call: WorkerCall): Record<string, unknown> {
  if (call.phase !== 'execute') {
    throw new RunnerError(
      'unsupported_phase',
      `The package is of the execute-only generation (SDK 0.3 and later): it has no ${call.phase} phase`,
      { details: { stage: call.phase } },
    );
  }
  const { image } = call;
  if (!image) {
    throw new RunnerError('invalid_params', 'A call to an execute-only package needs an image', {
      details: { path: 'image' },
    });
  }
  // The adapter refuses a call without a guide image (error 1000): the image stands in for it.
  const guide = call.guideImage ?? image;
  return {
    step_index: stepIndexOf(call),
    step_desc: call.stepDesc ?? '',
    guide_info: call.guideInfo ?? [],
    cur_image_shm_id: image.id,
    cur_image_meta: image.meta,
    guide_image_shm_id: guide.id,
    guide_image_meta: guide.meta,
  };
}

/** Adapters take `step_index or 1`, which makes 1 of 0; of the text `"0"` they make 0. */
function stepIndexOf({ stepIndex = 1 }: WorkerCall): number | string {
  return stepIndex === 0 ? '0' : stepIndex;
}
