import type { Generation } from '../package/types.js';
import { givenProductIds } from '../product-ids.js';

/** What {@link sampleAlgorithm} is made from. */
export interface SampleSource {
  /** How it is called. */
  generation: Generation;
  /** Name of the package. */
  name: string;
  /** Version of the package. */
  version: string;
  /** Product ids that it says it supports. @defaultValue none, which means any */
  productIds?: readonly string[];
  /** Old name of `productIds`. @deprecated use `productIds`: it stays for one minor version */
  pids?: readonly string[];
}

/**
 * Source of a small honest algorithm: it reads the image and answers what it saw. `user_params` (phased) or
 * `step_desc` as JSON (execute-only) steer it: `{"ng": true}` answers NG with one box, `{"raise": "text"}` raises,
 * `{"status": "ERROR"}` answers ERROR, `{"sleep_ms": n}` takes its time.
 *
 * The answer's `debug` holds `first` (first pixel), `mean` (of all bytes), `size` (bytes), `pid`, `session` (id)
 * and `context`.
 *
 * @example
 * ```ts
 * const source = sampleAlgorithm({ generation: 'phased', name: 'sample', version: '1.0.0', productIds: ['A01'] });
 * await store.deploy({ source: source.replace('import time', 'import time, no_such_module') });
 * ```
 */
export function sampleAlgorithm(options: SampleSource): string {
  const { generation, name, version } = options;
  const productIds = givenProductIds('sampleAlgorithm({ productIds })', options) ?? [];
  return generation === 'phased' ? phased(name, version, productIds) : executeOnly();
}

const LOOK = `
def look(image, wanted, about):
    pixels = bytes(image)
    if wanted.get("sleep_ms"):
        time.sleep(wanted["sleep_ms"] / 1000.0)
    if wanted.get("raise"):
        raise ValueError(wanted["raise"])
    if wanted.get("status") == "ERROR":
        return {"status": "ERROR", "message": "asked to fail", "data": {}}
    data = {"result_status": "OK", "defect_rects": [], "debug": dict(
        about, first=list(pixels[:3]), mean=sum(pixels) / len(pixels), size=len(pixels))}
    if wanted.get("ng"):
        data.update(result_status="NG", ng_reason="asked for it",
                    defect_rects=[{"x": 0, "y": 0, "width": 1, "height": 1, "label": "spot", "score": 0.5}])
    return {"status": "OK", "message": "", "data": data}
`;

function phased(name: string, version: string, productIds: readonly string[]): string {
  return `import time

from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory
${LOOK}

class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": ${py(name)}, "version": ${py(version)}, "description": "answers what it saw",
                "supported_pids": ${py(productIds)},
                "steps": [{"index": 1, "name": "look", "params": []}]}

    def pre_execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        image = read_image_from_shared_memory(shared_mem_id, image_meta)
        return {"status": "OK", "message": "ready", "data": {
            "calibration_rects": [], "debug": {"size": len(bytes(image)), "session": session.id}}}

    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        image = read_image_from_shared_memory(shared_mem_id, image_meta)
        return look(image, user_params or {}, {"pid": pid, "session": session.id, "context": session.context})
`;
}

function executeOnly(): string {
  return `import json
import time

from procvision_algorithm_sdk import BaseAlgorithm
${LOOK}

class Algorithm(BaseAlgorithm):
    def execute(self, step_index, step_desc, cur_image, guide_image, guide_info):
        wanted = json.loads(step_desc) if step_desc.startswith("{") else {}
        return look(cur_image, wanted, {"guide": list(bytes(guide_image)[:3]), "guide_info": guide_info})
`;
}

/** A JSON string or list of strings is a Python literal as well. */
function py(value: unknown): string {
  return JSON.stringify(value);
}
