"""Frames, as an algorithm reads them.

With NumPy in the environment an image is an array of shape (H, W, 3); without, a memoryview of that shape
(index it with [y, x, c], or take bytes() of it). Like the published SDK, and unlike any sane design, a frame that is
missing or unreadable becomes a black image: hosts have to make that impossible, and tests that they do.
"""
import ast
import io
import os
import re
import tempfile

try:
    import numpy
except ImportError:
    numpy = None


def _directory():
    return os.environ.get("PROC_SHM_DIR") or os.path.join(tempfile.gettempdir(), "procvision_dev_shm")


def _path(shared_mem_id, ending):
    return os.path.join(_directory(), re.sub(r"[^a-zA-Z0-9._-]", "_", shared_mem_id) + ending)


def _parse_npy(data):
    """Shape and pixels of a NumPy format 1.0 file of uint8 in C order."""
    if data[:8] != b"\x93NUMPY\x01\x00":
        raise ValueError("not a NumPy 1.0 file")
    start = 10 + int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10:start].decode("latin1"))
    if header["descr"] != "|u1" or header["fortran_order"]:
        raise ValueError("not uint8 in C order")
    size = 1
    for extent in header["shape"]:
        size *= extent
    pixels = data[start:start + size]
    if len(pixels) != size:
        raise ValueError("the file ends early")
    return header["shape"], pixels


def _three_channels(shape, pixels):
    if len(shape) == 2 or shape[2] == 1:
        tripled = bytearray(3 * len(pixels))
        tripled[0::3] = tripled[1::3] = tripled[2::3] = pixels
        pixels = tripled
    return bytearray(pixels)


def _shaped(pixels, height, width):
    if numpy is not None:
        return numpy.frombuffer(pixels, dtype=numpy.uint8).reshape(height, width, 3)
    return memoryview(pixels).cast("B", shape=[height, width, 3])


def _decode(data):
    from PIL import Image

    image = Image.open(io.BytesIO(data)).convert("RGB")
    return _shaped(bytearray(image.tobytes()), image.height, image.width)


def read_image_from_shared_memory(shared_mem_id, image_meta):
    width = int(image_meta.get("width", 0))
    height = int(image_meta.get("height", 0))
    if width <= 0 or height <= 0:
        return None
    try:
        with open(_path(shared_mem_id, ".npy"), "rb") as file:
            shape, pixels = _parse_npy(file.read())
        rgb = _three_channels(shape, pixels)
        if str(image_meta.get("color_space", "RGB")).upper() == "BGR" and len(shape) == 3 and shape[2] == 3:
            rgb[0::3], rgb[2::3] = rgb[2::3], rgb[0::3]
        return _shaped(rgb, shape[0], shape[1])
    except Exception:
        pass
    try:
        with open(_path(shared_mem_id, ".bin"), "rb") as file:
            return _decode(file.read())
    except Exception:
        pass
    return _shaped(bytearray(height * width * 3), height, width)


def write_image_array_to_shared_memory(shared_mem_id, image_array):
    numpy.save(_path(shared_mem_id, ".npy"), image_array)
