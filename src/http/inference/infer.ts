import * as v from 'valibot';
import type { ImageInput } from '../../frames/types.js';
import type { InspectionResult } from '../../supervisor/types.js';
import { runPicture } from '../inspections/inspect.js';
import { receiveWhole } from '../inspections/receive.js';
import { redactedResult } from '../../runner/redacted-result.js';
import { supervisorOf } from '../parts.js';
import { RequestFault } from '../problem.js';
import { mediaType } from '../request-headers.js';
import type { Call } from '../types.js';
import { INFER_BODY, OUTPUTS } from './infer-body.js';
import { findModel } from './models.js';
import { bytesOf, readTensors, valuesOf, wrong, type Tensor } from './tensors.js';
import { wholeResponse } from '../whole-response.js';

const HEADER = 'inference-header-content-length';
type OutputName = (typeof OUTPUTS)[number];

/** Parameters of a request that are not the algorithm's. */
const NOT_TAKEN = ['sequence_id', 'sequence_start', 'sequence_end', 'priority'];
const LARGEST_STEP = 1_000_000;

type InferRequest = v.InferOutput<typeof INFER_BODY>;

/** POST /v2/models/\{productId\}[/versions/\{version\}]/infer, the tensors as JSON or as bytes behind it. */
export async function infer(call: Call): Promise<Response> {
  supervisorOf(call, 'inspects nothing');
  const { request, params, options } = call;
  checkType(request);
  const { target } = await findModel(call);
  using admitted = options.admission.enter();
  const body = Buffer.from(
    await receiveWhole(request, {
      ...{ pace: options.pace, maxBytes: options.maxImageBytes, admitted, timeoutMs: undefined },
    }),
  );
  const { asked, tensors } = readRequest(request, body);
  const { step, timeoutMs, userParams } = readParameters(asked);
  let image: ImageInput | undefined;
  let guideImage: ImageInput | undefined;
  for (const tensor of tensors) {
    if (tensor.name === 'image') image = pictureOf(tensor);
    else if (tensor.name === 'guide_image') guideImage = pictureOf(tensor);
    else userParams[tensor.name] = parameterOf(tensor);
  }
  if (!image)
    throw new RequestFault(
      'bad_request',
      'inputs.image: is missing: UINT8 of shape [height, width, channels]',
    );
  const result = await runPicture(call, {
    ...{ productId: params.productId ?? '', image, guideImage, target, stepIndex: step, timeoutMs },
    userParams: Object.keys(userParams).length > 0 ? userParams : undefined,
  });
  return answerOf(asked, redactedResult(result, options.registry.layout.root), params.productId ?? '');
}

function checkType(request: Request): void {
  const type = mediaType(request);
  const isTaken = ['', 'application/json'].includes(type) || request.headers.has(HEADER);
  if (isTaken) return;
  throw new RequestFault(
    'unsupported_media_type',
    `This endpoint takes application/json, or any type with the header Inference-Header-Content-Length; not ${type}`,
  );
}

function readRequest(request: Request, body: Buffer): { asked: InferRequest; tensors: Tensor[] } {
  const header = request.headers.get(HEADER);
  const length = header === null ? body.length : /^\d{1,12}$/.test(header) ? Number(header) : -1;
  if (length < 0 || length > body.length) {
    throw new RequestFault(
      'bad_request',
      `Inference-Header-Content-Length: must be the length of the JSON, at most the ${body.length} bytes of the body`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body.subarray(0, length)));
  } catch (error) {
    throw new RequestFault('bad_request', `body: is not JSON: ${(error as Error).message}`);
  }
  const parsed = v.safeParse(INFER_BODY, value);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new RequestFault('bad_request', `${v.getDotPath(issue) ?? 'body'}: ${issue.message}`);
  }
  const names = parsed.output.inputs.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw wrong(twice, 'is there twice: send it once');
  return { asked: parsed.output, tensors: readTensors(parsed.output.inputs, body.subarray(length)) };
}

interface Parameters {
  step: number | undefined;
  timeoutMs: number | undefined;
  userParams: Record<string, unknown>;
}

/** `step` and `timeout` (microseconds, as Triton has it) are ours; everything else is a parameter of the step. */
function readParameters({ parameters = {} }: InferRequest): Parameters {
  const { step, timeout, binary_data_output: _binary, ...userParams } = parameters;
  const refused = Object.keys(userParams).find((name) => NOT_TAKEN.includes(name));
  if (refused !== undefined) {
    throw new RequestFault('bad_request', `parameters.${refused}: is not served here: leave it out`);
  }
  const whole = (name: string, value: unknown, least: number, most: number): number | undefined => {
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    throw new RequestFault(
      'bad_request',
      `parameters.${name}: must be a whole number from ${least} to ${most}`,
    );
  };
  const microseconds = whole('timeout', timeout, 1, 2 ** 31 * 1_000 - 1_000);
  return {
    step: whole('step', step, 0, LARGEST_STEP),
    timeoutMs: microseconds === undefined ? undefined : Math.max(1, microseconds / 1_000),
    userParams,
  };
}

/** [height, width, channels], with a batch of one before it, or [height, width] of a gray picture. */
function pictureOf(tensor: Tensor): ImageInput {
  const { name, shape, datatype, bytes } = tensor;
  if (datatype !== 'UINT8') throw wrong(name, `must be UINT8, not ${datatype}`);
  const sides = shape.length === 4 && shape[0] === 1 ? shape.slice(1) : shape;
  const [height = 0, width = 0, channels = 1] = sides;
  if (sides.length < 2 || sides.length > 3 || ![1, 3].includes(channels)) {
    throw wrong(name, `must be of shape [height, width, 1 or 3], not [${shape.join(', ')}]`);
  }
  return { data: bytes ?? pixelsOf(tensor), height, width, channels: channels as 1 | 3 };
}

function pixelsOf({ name, values = [] }: Tensor): Uint8Array {
  const pixels = new Uint8Array(values.length);
  for (const [index, value] of values.entries()) {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 255) {
      throw wrong(name, `has an element that is no whole number from 0 to 255, at ${index}`);
    }
    pixels[index] = value;
  }
  return pixels;
}

/** One value, or a list of them. */
function parameterOf(tensor: Tensor): unknown {
  const values = valuesOf(tensor);
  return values.length === 1 ? values[0] : values;
}

function answerOf(
  { id, parameters, outputs: wanted }: InferRequest,
  result: InspectionResult,
  name: string,
): Response {
  const contents: Record<OutputName, string> = {
    result: JSON.stringify(result),
    verdict: result.status === 'ERROR' ? 'ERROR' : (result.data.result_status ?? 'OK'),
  };
  const isBinaryByDefault = parameters?.binary_data_output === true;
  const asked = wanted ?? OUTPUTS.map((output) => ({ name: output, parameters: undefined }));
  const binary: Buffer[] = [];
  const answered = asked.map((output) => {
    const about = { name: output.name, datatype: 'BYTES', shape: [1] };
    const text = contents[output.name];
    if (
      output.parameters?.binary_data !== true &&
      !(isBinaryByDefault && output.parameters?.binary_data === undefined)
    ) {
      return { ...about, data: [text] };
    }
    const bytes = bytesOf([text]);
    binary.push(bytes);
    return { ...about, parameters: { binary_data_size: bytes.length } };
  });
  const { version } = result;
  const json = JSON.stringify({
    model_name: name,
    model_version: version,
    ...(id !== undefined && { id }),
    outputs: answered,
  });
  if (binary.length === 0) return wholeResponse(json, { headers: { 'content-type': 'application/json' } });
  const head = Buffer.from(json);
  return new Response(Buffer.concat([head, ...binary]), {
    headers: { 'content-type': 'application/octet-stream', [HEADER]: String(head.length) },
  });
}
