"""The two calls of a trial: one in RGB with all that a request may bring, one in BGR with what it must bring alone."""
import os
import time

WIDTH, HEIGHT = 64, 48


def write_frame(identifier, order, size=(WIDTH, HEIGHT), black=False):
    """A gradient of another slope in each channel, as a worker would find it. `order` is RGB or BGR."""
    width, height = size
    text = "{'descr': '|u1', 'fortran_order': False, 'shape': %r, }" % ((height, width, 3),)
    text += " " * (-(len(text) + 11) % 64) + "\n"
    slopes = (0, 0, 0) if black else (3, 2, 1) if order == "RGB" else (1, 2, 3)
    first = 0 if size == (WIDTH, HEIGHT) else 1  # a picture of one pixel is not black
    pixels = bytes(x * slope % 256 for x in range(first, first + width) for slope in slopes) * height
    with open(os.path.join(os.environ["PROC_SHM_DIR"], identifier + ".npy"), "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin1") + pixels)


def image_meta(order, size=(WIDTH, HEIGHT)):
    return {"width": size[0], "height": size[1], "timestamp_ms": int(time.time() * 1000), "camera_id": "probe",
            "color_space": order}


def read_contiguous(sdk):
    """Lets the algorithm read arrays as a worker gives them: channels that the SDK turns by a view are copied."""
    module = getattr(sdk, "shared_memory", None)
    original = getattr(module, "read_image_from_shared_memory", None)
    try:
        import numpy
    except Exception:
        return  # there is none, or none that works
    if original is None:
        return

    def read_image_from_shared_memory(shared_mem_id, image_meta):
        image = original(shared_mem_id, image_meta)
        return numpy.ascontiguousarray(image) if isinstance(image, numpy.ndarray) else image

    module.read_image_from_shared_memory = read_image_from_shared_memory
    sdk.read_image_from_shared_memory = read_image_from_shared_memory


def first_step(manifest, info):
    """The package's own first step, by index; step 1 where it declares none."""
    for steps in ((info or {}).get("steps"), manifest.get("steps")):
        for step in steps if isinstance(steps, list) else ():
            if isinstance(step, dict) and isinstance(step.get("index"), int):
                return step
    return {"index": 1}


def params_of(step, all_of_them):
    """Parameters of a step: those with a default, or those alone that are required."""
    params = step.get("params")
    chosen = {}
    for param in params if isinstance(params, list) else ():
        if not isinstance(param, dict) or not isinstance(param.get("key"), str):
            continue
        required = param.get("required") is True
        if required or (all_of_them and "default" in param):
            chosen[param["key"]] = param["default"] if "default" in param else least_value(param)
    return chosen


def least_value(param):
    kind, choices = param.get("type"), param.get("choices")
    if isinstance(choices, list) and choices:
        return choices[0]
    if kind in ("int", "float"):
        return param.get("min", 0)
    if kind == "rect":
        return {"x": 0, "y": 0, "width": 8, "height": 8}
    return False if kind == "bool" else ""


class Trial:
    """Calls of one algorithm, in the order in which they are made."""

    def __init__(self, algorithm, order, info):
        self._algorithm, self._manifest = algorithm, order["manifest"]
        self._step = first_step(self._manifest, info)

    def calls(self):
        return [("RGB, with all parameters", "RGB", True), ("BGR, with what is required", "BGR", False)]

    width, height = WIDTH, HEIGHT

    def has_optional(self):
        return params_of(self._step, True) != params_of(self._step, False)

    def phased(self, method, order="RGB", full=True, size=(WIDTH, HEIGHT), black=False, leave_out=None, pid=None):
        from procvision_algorithm_sdk import Session

        identifier = "probe-%s" % order
        write_frame(identifier, order, size, black)
        meta = image_meta(order, size)
        meta.pop(leave_out, None)
        pids = self._manifest.get("supported_pids") or ["probe"]
        session = Session("probe-%s" % order, {"trace_id": "probe"} if full else {})
        return getattr(self._algorithm, method)(self._step["index"], pid or pids[0], session,
                                                params_of(self._step, full), identifier, meta)

    def execute_only(self, order="RGB", full=True, size=(WIDTH, HEIGHT), black=False):
        from procvision_algorithm_sdk import read_image_from_shared_memory

        identifier = "probe-%s" % order
        write_frame(identifier, order, size, black)
        image = read_image_from_shared_memory(identifier, image_meta(order, size))
        guide = read_image_from_shared_memory(identifier, image_meta(order, size))
        box = {"x": 0, "y": 0, "width": 8, "height": 8}
        places = [{"label": "probe", "posList": [box]}] if full else []
        return self._algorithm.execute(self._step["index"], str(self._step.get("name") or "") if full else "",
                                       image, guide, places)
