"""Images as an algorithm gets them, mapped from shared memory, or copied where it writes to most of it (see kept.py).

The mapping is private and copy-on-write: the algorithm may write into its array, and nobody else sees it. A frame that is
missing or not whole is an error (1007), never a black image.

After a call the host writes the next image into the same memory, and a page that nobody wrote to would show it. So an
array that the algorithm keeps beyond its call gets pages of its own before the call is answered; and a process that is
forked during a call finds pages that are its own, because those of its parent were before the fork.
"""
import os
from _thread import RLock  # threading gives the same one, and takes longer to import than all else here

from .delivery import Delivery, FrameMissing, path_of, shape_in

try:
    import numpy
except ImportError:
    numpy = None

_lock = RLock()  # a thread of the algorithm's may read when its call ends, or when the next begins


class _State:
    delivery = Delivery()
    own = {}  # what the algorithm has written itself, by name


def use(delivery, maps):
    """`maps`: end_call() marks the end of each call before the answer, so that pictures can be mapped until then."""
    _State.delivery, delivery.keeper.maps = delivery, maps
    if maps and hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_part, after_in_parent=_lock.release, after_in_child=_copy_from_now_on)


def map_from_now_on():
    """This process answers the calls itself and learns when each ends, also where a fork server has prepared it."""
    _State.delivery.keeper.maps = True


def begin(message):
    """A call begins: takes in its pictures, and returns the report for the host."""
    return begin_all((message,))[0]


def begin_all(messages):
    """Calls begin that run together: as `begin`, a report for each."""
    with _lock:
        reports = _State.delivery.begin(messages)
        for identifier in _State.delivery.names():
            _State.own.pop(identifier, None)  # written in an earlier call, under a name that is another picture's now
        return reports


def read_image(shared_mem_id, image_meta):
    """The image as (height, width, 3) in RGB, uint8, or, where its values have more than 8 bits, as (height, width), uint16: a
    NumPy array, or a memoryview of that shape without NumPy."""
    width = int(image_meta.get("width", 0))
    height = int(image_meta.get("height", 0))
    if width <= 0 or height <= 0:
        return None
    delivery = _State.delivery
    try:
        with _lock:
            picture = delivery.picture(shared_mem_id)
            if picture is not None and picture.shape is not None:
                return _read_picture(picture, image_meta, width, height)
            encoded = picture and picture.encoded()
        if encoded is not None:
            return _decode(encoded, width, height)  # without the lock: a fork waits for it with the locks of logging
        return _read_file(shared_mem_id, image_meta, width, height)
    except Exception as fault:
        raise FrameMissing(delivery.lose(shared_mem_id, fault))


def _read_picture(picture, image_meta, width, height):
    _check_size(picture.shape, width, height)
    memory = picture.memory(_State.delivery.keeper)
    return _image(memory.content, picture.offset, picture, image_meta)


def _read_file(shared_mem_id, image_meta, width, height):
    """A picture that is none of the call's: the algorithm knows of it by itself."""
    path = path_of(shared_mem_id, ".npy")
    if not os.path.exists(path):
        encoded = path_of(shared_mem_id, ".bin")
        if not os.path.exists(encoded):
            raise FrameMissing("it is not there")
        with open(encoded, "rb") as file:
            return _decode(file.read(), width, height)
    with open(path, "rb") as file:
        content = bytearray(file.read())
    shape, offset, value_bytes = shape_in(content)
    if len(content) - offset < shape[0] * shape[1] * shape[2] * value_bytes:
        raise FrameMissing("it is short: %d bytes for %r" % (len(content) - offset, shape))
    _check_size(shape, width, height)
    return _image(content, offset, _Lying(shape, value_bytes), image_meta)


def _check_size(shape, width, height):
    if (shape[0], shape[1]) != (height, width):
        raise FrameMissing("it is %r, the call says %d x %d" % (shape, width, height))


class _Lying:
    """How the pixels of a file lie."""

    def __init__(self, shape, width):
        self.shape, self.width = shape, width


def _image(pixels, offset, lying, image_meta):
    shape = lying.shape
    if lying.width == 2:
        return _wide(pixels, offset, shape)
    bgr = str(image_meta.get("color_space", "RGB")).upper() == "BGR"
    return _array(pixels, offset, shape, bgr) if numpy is not None else _view(pixels, offset, shape, bgr)


def _array(pixels, offset, shape, bgr):
    count = shape[0] * shape[1] * shape[2]
    array = numpy.frombuffer(pixels, dtype=numpy.uint8, count=count, offset=offset).reshape(shape)
    if shape[2] == 1:
        return numpy.repeat(array, 3, axis=2)
    # A view that runs backwards is refused by OpenCV's drawing functions.
    return numpy.ascontiguousarray(array[:, :, ::-1]) if bgr else array


def _wide(pixels, offset, shape):
    """Gray values of 16 bits as they are."""
    height, width = shape[:2]
    if numpy is not None:
        return numpy.frombuffer(pixels, dtype="<u2", count=height * width, offset=offset).reshape(height, width)
    view = memoryview(pixels)[offset:offset + 2 * height * width]
    return view.cast("B").cast("H", shape=[height, width])


def _view(pixels, offset, shape, bgr):
    height, width, channels = shape
    view = memoryview(pixels)[offset:offset + height * width * channels]
    if channels == 1 or bgr:
        copied = bytearray(3 * height * width)
        for target, source in enumerate((0, 0, 0) if channels == 1 else (2, 1, 0)):
            copied[target::3] = bytes(view[source::channels])
        view = memoryview(copied)
    return view.cast("B", shape=[height, width, 3])


def _part():
    # Until the fork is made: a call that ends during the fork has its pictures in neither place, and a lock that another thread holds
    # would never be free in the child.
    _lock.acquire()
    _State.delivery.keeper.part()


def _copy_from_now_on():
    _State.delivery.keeper.copy_from_now_on()
    _lock.release()


def end_call():
    """The call is over: its mappings go or are kept, and what the algorithm kept of them becomes its own."""
    with _lock:
        _State.delivery.end()
        _State.delivery.keeper.end_call()


def _decode(encoded, width, height):
    import io

    from PIL import Image

    with Image.open(io.BytesIO(encoded)) as image:
        picture = image.convert("RGB")
    if picture.size != (width, height):
        raise FrameMissing("it is %d x %d, the call says %d x %d" % (picture.size + (width, height)))
    if numpy is not None:
        return numpy.array(picture)
    return memoryview(bytearray(picture.tobytes())).cast("B", shape=[picture.height, picture.width, 3])


def take_the_place_of(sdk):
    """Algorithms that call the SDK's own function get these images too. What they wrote themselves stays theirs: under a
    name of their own, and under that of a picture until its call is over."""
    module = getattr(sdk, "shared_memory", None)
    original = getattr(module, "read_image_from_shared_memory", None)
    if original is None:
        return  # it reads no pictures
    _State.own = own = getattr(module, "_DEV_SHM", {})

    def read_image_from_shared_memory(shared_mem_id, image_meta):
        if shared_mem_id in own:
            return original(shared_mem_id, image_meta)
        return read_image(shared_mem_id, image_meta)

    module.read_image_from_shared_memory = read_image_from_shared_memory
    sdk.read_image_from_shared_memory = read_image_from_shared_memory
