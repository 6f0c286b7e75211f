"""Calls to an algorithm of the execute-only generation."""
from .frames import read_image


class ExecuteOnly:
    capabilities = ["execute"]

    def __init__(self, algorithm):
        self._algorithm = algorithm

    @property
    def takes_batches(self):
        return callable(getattr(self._algorithm, "execute_batch", None))

    def call(self, data, request_id):
        # By place: the names of its parameters are the algorithm's own.
        return self._algorithm.execute(*self.item(data, request_id).values()), self.added(data)

    def call_batch(self, items):
        return self._algorithm.execute_batch([dict(item) for item in items])  # a list of its own: it may take from it

    def item(self, data, request_id):
        """What the algorithm gets of a call."""
        return {"step_index": int(data.get("step_index") or 1), "step_desc": str(data.get("step_desc") or ""),
                "cur_image": read_image(str(data.get("cur_image_shm_id") or ""), data.get("cur_image_meta") or {}),
                "guide_image": read_image(str(data.get("guide_image_shm_id") or ""), data.get("guide_image_meta") or {}),
                "guide_info": data.get("guide_info") or []}

    def added(self, data):
        """What the protocol adds to the data of an answer."""
        return {"step_index": int(data.get("step_index") or 1)}

    def close(self):
        pass
