"""Images, mapped from shared memory instead of copied.

The mapping is private and copy-on-write: the algorithm may write into its array, and nobody else sees it. It is made
anew for each read, because a page that was written to would keep its old content. A frame that is missing or short is
an error (1007), never a black image.

After a call the host writes the next image into the same file, and a page that nobody wrote to would show it. So an
array that the algorithm keeps beyond its call gets pages of its own before the call is answered.
"""
import ast
import mmap
import os
import re
import tempfile

try:
    import numpy
except ImportError:
    numpy = None

_UNSAFE = re.compile(r"[^a-zA-Z0-9._-]")
HEADER_BYTES = 128  # of the frames that the host writes: NumPy's format 1.0 pads to a multiple of 64
_mappings = []  # of the running call
_headers = {}  # read once for each shape: by their own bytes, because a file may get another


class FrameMissing(Exception):
    """The image of the call is not there. Kept as well: an algorithm may swallow the exception, the answer must not."""

    last = None

    def __init__(self, message):
        super().__init__(message)
        FrameMissing.last = message


def directory():
    return os.environ.get("PROC_SHM_DIR") or os.path.join(tempfile.gettempdir(), "procvision_dev_shm")


def read_image(shared_mem_id, image_meta):
    """The image as (height, width, 3) in RGB: a NumPy array, or a memoryview of that shape without NumPy."""
    width = int(image_meta.get("width", 0))
    height = int(image_meta.get("height", 0))
    if width <= 0 or height <= 0:
        return None
    base = os.path.join(directory(), _UNSAFE.sub("_", shared_mem_id))
    try:
        descriptor = os.open(base + ".npy", os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:
        return _read_encoded(base + ".bin", shared_mem_id, width, height)
    try:
        shape, offset = _header(descriptor, shared_mem_id)
        size = os.fstat(descriptor).st_size
        if size - offset < shape[0] * shape[1] * shape[2]:
            raise FrameMissing("frame %s is short: %d bytes for %r" % (shared_mem_id, size - offset, shape))
        if (shape[0], shape[1]) != (height, width):
            raise FrameMissing("frame %s is %r, the call says %d x %d" % (shared_mem_id, shape, width, height))
        pixels = mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY)
    finally:
        os.close(descriptor)
    _mappings.append(pixels)
    bgr = str(image_meta.get("color_space", "RGB")).upper() == "BGR"
    return _array(pixels, offset, shape, bgr) if numpy is not None else _view(pixels, offset, shape, bgr)


def _header(descriptor, shared_mem_id):
    """Shape (height, width, channels) and the place of the first pixel."""
    head = os.read(descriptor, HEADER_BYTES)
    known = _headers.get(head)
    if known:
        return known
    try:
        if head[:8] != b"\x93NUMPY\x01\x00":
            raise ValueError("not a NumPy 1.0 file")
        offset = 10 + int.from_bytes(head[8:10], "little")
        text = (head + os.read(descriptor, max(0, offset - len(head))))[10:offset]
        fields = ast.literal_eval(text.decode("latin1"))
        if fields["descr"] != "|u1" or fields["fortran_order"] or len(fields["shape"]) not in (2, 3):
            raise ValueError("not uint8 in C order")
        shape = tuple(fields["shape"]) + (1,) * (3 - len(fields["shape"]))
        if shape[2] not in (1, 3):
            raise ValueError("%d channels" % shape[2])
    except (ValueError, KeyError, SyntaxError) as fault:
        raise FrameMissing("frame %s cannot be read: %s" % (shared_mem_id, fault))
    if offset == len(head):  # otherwise the key holds pixels, or less than the header
        if len(_headers) > 1000:
            _headers.clear()
        _headers[head] = shape, offset
    return shape, offset


def _array(pixels, offset, shape, bgr):
    count = shape[0] * shape[1] * shape[2]
    array = numpy.frombuffer(pixels, dtype=numpy.uint8, count=count, offset=offset).reshape(shape)
    if shape[2] == 1:
        return numpy.repeat(array, 3, axis=2)
    # A view that runs backwards is refused by OpenCV's drawing functions.
    return numpy.ascontiguousarray(array[:, :, ::-1]) if bgr else array


def _view(pixels, offset, shape, bgr):
    height, width, channels = shape
    view = memoryview(pixels)[offset:offset + height * width * channels]
    if channels == 1 or bgr:
        copied = bytearray(3 * height * width)
        for target, source in enumerate((0, 0, 0) if channels == 1 else (2, 1, 0)):
            copied[target::3] = bytes(view[source::channels])
        view = memoryview(copied)
    return view.cast("B", shape=[height, width, 3])


def let_go():
    """The call is over: its mappings go, and what the algorithm kept of them becomes its own."""
    while _mappings:
        pixels = _mappings.pop()
        try:
            pixels.close()
        except BufferError:  # somebody still looks at it
            with memoryview(pixels) as view:
                view[::mmap.PAGESIZE] = view[::mmap.PAGESIZE]  # a write to each page, which makes it private


def _read_encoded(path, shared_mem_id, width, height):
    if not os.path.isfile(path):
        raise FrameMissing("frame %s is not there" % shared_mem_id)
    try:
        from PIL import Image

        with Image.open(path) as image:
            picture = image.convert("RGB")
    except Exception as fault:
        raise FrameMissing("frame %s cannot be decoded: %s" % (shared_mem_id, fault))
    if picture.size != (width, height):
        raise FrameMissing("frame %s is %d x %d, the call says %d x %d"
                           % ((shared_mem_id,) + picture.size + (width, height)))
    if numpy is not None:
        return numpy.array(picture)
    return memoryview(bytearray(picture.tobytes())).cast("B", shape=[picture.height, picture.width, 3])


def take_the_place_of(sdk):
    """Algorithms that call the SDK's own function get mapped images too. What they wrote there themselves stays theirs."""
    module = sdk.shared_memory
    original = module.read_image_from_shared_memory
    own = getattr(module, "_DEV_SHM", {})

    def read_image_from_shared_memory(shared_mem_id, image_meta):
        if shared_mem_id in own:
            return original(shared_mem_id, image_meta)
        return read_image(shared_mem_id, image_meta)

    module.read_image_from_shared_memory = read_image_from_shared_memory
    sdk.read_image_from_shared_memory = read_image_from_shared_memory
