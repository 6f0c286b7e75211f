"""Calls to an algorithm of the phased generation."""
from .sessions import Sessions

CAPABILITIES = ["info", "setup", "teardown", "reset", "on_step_start", "on_step_finish"]


class Phased:
    capabilities = CAPABILITIES

    def __init__(self, algorithm, sdk):
        self._algorithm = algorithm
        self._sessions = Sessions(sdk.Session)

    def call(self, data, request_id):
        """Answer of the algorithm, and what the protocol adds to its data."""
        algorithm = self._algorithm
        phase = data.get("phase") or "execute"
        step = int(data.get("step_index") or 1)
        if phase == "info":
            info = algorithm.get_info()
            answer = {"data": {"info": info}} if isinstance(info, dict) else info
            return answer, {"phase": phase, "step_index": 0}
        about = data.get("session") or {}
        session = self._sessions.of(about, request_id)
        pid = data.get("pid") or ""
        context = {"pid": pid, "trace_id": (about.get("context") or {}).get("trace_id")}
        params = data.get("user_params") or {}
        added = self.added(data)
        if phase in CAPABILITIES:
            self._hook(phase, step, session, context, params, about)
            return {}, added
        _quietly(algorithm.on_step_start, step, session, context)
        method = algorithm.pre_execute if phase == "pre" else algorithm.execute
        answer = method(step, pid, session, params, data.get("shared_mem_id") or "", data.get("image_meta") or {})
        _quietly(algorithm.on_step_finish, step, session, answer if isinstance(answer, dict) else {})
        return answer, added

    @property
    def takes_batches(self):
        return callable(getattr(self._algorithm, "execute_batch", None))

    def call_batch(self, items):
        """Of `execute` alone, with the hooks of each."""
        algorithm = self._algorithm
        for item in items:
            session = item["session"]
            context = {"pid": item["pid"], "trace_id": (getattr(session, "_context", None) or {}).get("trace_id")}
            _quietly(algorithm.on_step_start, item["step_index"], session, context)
        answers = algorithm.execute_batch([dict(item) for item in items])  # a list of its own: it may take from it
        for item, answer in zip(items, answers if isinstance(answers, (list, tuple)) else []):
            _quietly(algorithm.on_step_finish, item["step_index"], item["session"], answer if isinstance(answer, dict) else {})
        return answers

    def item(self, data, request_id):
        """What the algorithm gets of a call."""
        return {"step_index": int(data.get("step_index") or 1), "pid": data.get("pid") or "",
                "session": self._sessions.of(data.get("session") or {}, request_id),
                "user_params": data.get("user_params") or {}, "shared_mem_id": data.get("shared_mem_id") or "",
                "image_meta": data.get("image_meta") or {}}

    def added(self, data):
        """What the protocol adds to the data of an answer."""
        return {"phase": data.get("phase") or "execute", "step_index": int(data.get("step_index") or 1)}

    def _hook(self, phase, step, session, context, params, about):
        algorithm = self._algorithm
        if phase == "reset":
            algorithm.reset(session)
            self._sessions.forget(about.get("id"))
        elif phase == "on_step_start":
            algorithm.on_step_start(step, session, context)
        elif phase == "on_step_finish":
            algorithm.on_step_finish(step, session, params)
        else:
            getattr(algorithm, phase)()

    def close(self):
        _quietly(self._algorithm.teardown)


def _quietly(function, *args):
    """Hooks fail quietly, as under the SDK's own adapter."""
    try:
        function(*args)
    except Exception:
        pass
