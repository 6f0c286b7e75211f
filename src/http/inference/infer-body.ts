import * as v from 'valibot';
import { TENSOR } from './tensors.js';

/** What a model gives. */
export const OUTPUTS = ['result', 'verdict'] as const;

const outputs = v.array(
  v.looseObject({
    name: v.picklist(OUTPUTS, `must be one of ${OUTPUTS.join(', ')}`),
    parameters: v.optional(v.record(v.string(), v.unknown())),
  }),
);

/** Body of an inference: tensors, and what of the answer is wanted. */
export const INFER_BODY = v.looseObject({
  id: v.optional(v.string('must be a string')),
  parameters: v.optional(v.record(v.string(), v.unknown(), 'must be an object')),
  inputs: v.pipe(v.array(TENSOR, 'must be a list of tensors'), v.minLength(1, 'must have the tensor image')),
  outputs: v.optional(outputs),
});
