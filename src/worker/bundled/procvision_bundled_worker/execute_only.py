"""Calls to an algorithm of the execute-only generation."""
from .frames import read_image


class ExecuteOnly:
    capabilities = ["execute"]

    def __init__(self, algorithm):
        self._algorithm = algorithm

    def call(self, data, request_id):
        step = int(data.get("step_index") or 1)
        current = read_image(str(data.get("cur_image_shm_id") or ""), data.get("cur_image_meta") or {})
        guide = read_image(str(data.get("guide_image_shm_id") or ""), data.get("guide_image_meta") or {})
        answer = self._algorithm.execute(step, str(data.get("step_desc") or ""), current, guide,
                                         data.get("guide_info") or [])
        return answer, {"step_index": step}

    def close(self):
        pass
