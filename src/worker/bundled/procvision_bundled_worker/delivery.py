"""How the pictures of a call come to this process, and the proof of what came.

A picture is the content of a `.npy` file or an encoded image, and behind it a trailer that tells its generation. It comes
as a descriptor of sealed memory, which nobody but the host can write and nobody can shorten, over a socket that was
inherited; as the name of memory of the host (Windows); or it is a file, which is then read as a whole, because others may
do anything to a file. In all cases what the checksum is made of is what the algorithm gets.

Standard library only, Python 3.8 to 3.13.
"""
import mmap
import os
import re
import stat
import sys

from .checksums import SAMPLE_BYTES, SAMPLES, checksum_of, checksum_of_samples
from .held import Places
from .kept import Keeper

TRAILER_BYTES = 16
TRAILER_MARK = b"PVFRAME1"
HEADER_BYTES = 128  # of the frames that the host writes: NumPy's format 1.0 pads to a multiple of 64
LARGEST_MESSAGE = 65536
MOST_DESCRIPTORS = 8
_headers = {}  # read once for each shape: by their own bytes, because a file may get another


class FrameMissing(Exception):
    """A picture cannot be read."""


class NoRoom(FrameMissing):
    """There is no descriptor left for it."""


def directory():
    folder = os.environ.get("PROC_SHM_DIR")
    if not folder:
        import tempfile  # takes longer than all else here

        folder = os.path.join(tempfile.gettempdir(), "procvision_dev_shm")
    return folder


def path_of(identifier, ending):
    return os.path.join(directory(), re.sub(r"[^a-zA-Z0-9._-]", "_", identifier) + ending)


def cause_of(fault):
    """Why something cannot be read, in words: an exception such as MemoryError has none of its own."""
    kind = type(fault).__name__
    text = str(fault)
    return text if isinstance(fault, FrameMissing) else "%s: %s" % (kind, text) if text else kind


def shape_in(head):
    """Shape (height, width, channels), the place of the first pixel and the bytes of a value (1, or 2 for uint16), from the
    first bytes of a `.npy` file."""
    key = bytes(head[:HEADER_BYTES])
    known = _headers.get(key)
    if known:
        return known
    if key[:8] != b"\x93NUMPY\x01\x00":
        raise FrameMissing("it is not a NumPy 1.0 file")
    offset = 10 + int.from_bytes(key[8:10], "little")
    import ast

    try:
        fields = ast.literal_eval(bytes(head[10:offset]).decode("latin1"))
        width = {"|u1": 1, "<u2": 2}.get(fields["descr"])
        if width is None or fields["fortran_order"] or len(fields["shape"]) not in (2, 3):
            raise ValueError("neither uint8 nor uint16 in C order")
        shape = tuple(fields["shape"]) + (1,) * (3 - len(fields["shape"]))
        if shape[2] not in (1, 3) or (width == 2 and shape[2] == 3):
            raise ValueError("%d channels of %d bytes" % (shape[2], width))
    except (ValueError, KeyError, SyntaxError) as fault:
        raise FrameMissing("its header cannot be read: %s" % fault)
    if offset == HEADER_BYTES:  # otherwise the key holds pixels, or less than the header
        if len(_headers) > 1000:
            _headers.clear()
        _headers[key] = shape, offset, width
    return shape, offset, width


class Picture:
    """One picture of the running call: the content of a file, or memory behind a descriptor or a name. `shape` is None for an encoded one;
    `width` is that of a value in bytes."""

    def __init__(self, identifier, kind, content=None, descriptor=None, name=None, held=None):
        self.identifier = identifier
        self.is_held = held is not None
        self.descriptor = descriptor
        self.key = self._name = name
        self._content = content
        self._memory = None  # that of the checksum
        if held is not None:
            self.descriptor, self.key = held.descriptor, held.key
            if not held.is_open():
                raise FrameMissing("its memory is not open any more")
            self._see_generation(os.pread(self.descriptor, TRAILER_BYTES, held.size))
            self.size, self.shape, self.offset, self.width = held.size, held.shape, held.offset, held.width
        elif descriptor is None:
            with memoryview(content) as view:
                self._understand(kind, view, bytes(view[max(0, len(view) - TRAILER_BYTES):]), len(view))
        else:
            about = os.fstat(descriptor)
            length = about.st_size
            self.key = about.st_dev, about.st_ino  # those of one memory, as long as it is open or mapped
            # Not by a mapping, where each place may be a fault of a page.
            trailer = os.pread(descriptor, TRAILER_BYTES, max(0, length - TRAILER_BYTES))
            self._understand(kind, os.pread(descriptor, HEADER_BYTES, 0), trailer, length)

    def _see_generation(self, trailer):
        if len(trailer) < TRAILER_BYTES or trailer[:8] != TRAILER_MARK:
            raise FrameMissing("it has no generation: it is cut off, or not what the host wrote")
        self.generation = int.from_bytes(trailer[8:], "little")

    def _understand(self, kind, head, trailer, length):
        self._see_generation(trailer)
        self.size = length - TRAILER_BYTES
        self.shape, self.offset, self.width = (None, 0, 1) if kind == "bin" else shape_in(head)
        if self.shape and self.size - self.offset != self.shape[0] * self.shape[1] * self.shape[2] * self.width:
            raise FrameMissing("it has %d bytes of pixels for the shape %r" % (self.size - self.offset, self.shape))

    def proof(self, method, keeper):
        is_sampled = method == "sampled" and self.size - self.offset > SAMPLES * SAMPLE_BYTES
        if is_sampled and self.descriptor is not None and keeper.maps_anew(self):
            # Not by the new mapping, where each place is a fault of a page: that takes ten times as long.
            checksum = checksum_of_samples(self.descriptor, self.size, self.offset)
        else:
            content = self._content
            if content is None:
                self._memory = self._memory or keeper.take(self)
                content = self._memory.content
            with memoryview(content) as view, view[:self.size] as whole:
                checksum = checksum_of(method, whole, self.offset)
        return {"id": self.identifier, "generation": self.generation, "size": self.size, "method": method,
                "checksum": checksum}

    def encoded(self):
        """The bytes of an encoded image, which is kept for one call alone."""
        with memoryview(self._content) as view:
            return bytes(view[:self.size])

    @property
    def is_shared(self):
        """Whether it is memory of the host, which can be mapped."""
        return self.descriptor is not None or self._name is not None

    def map(self, access):
        if self._name is None:
            return mmap.mmap(self.descriptor, 0, access=access)
        return mmap.mmap(-1, self.size + TRAILER_BYTES, tagname=self._name, access=access)

    def memory(self, keeper):
        """The whole in memory of the caller's own, where the pixels begin at `offset`. The first caller gets that of the checksum."""
        taken, self._memory = self._memory, None
        return taken or keeper.take(self)

    def copy_into(self, buffer, source):
        """The whole, without its trailer; `source`: a mapping of its memory, None for a file."""
        with memoryview(buffer) as target, memoryview(self._content if source is None else source) as content:
            target[:] = content[:self.size]
        if not self.is_shared:
            return
        # The host takes the trailer away when the call is over, before anything else is written there.
        if self.descriptor is None:
            trailer = self._content[self.size + 8:self.size + TRAILER_BYTES]
        else:
            trailer = os.pread(self.descriptor, TRAILER_BYTES - 8, self.size + 8)
        if int.from_bytes(trailer, "little") != self.generation:
            raise FrameMissing("its call is over")

    def close(self):
        if self.descriptor is not None and not self.is_held:
            os.close(self.descriptor)
        content, self._content, self._memory = self._content, None, None
        if self._name is not None:
            content.close()


def from_memory(identifier, kind, descriptor):
    return Picture(identifier, kind, descriptor=descriptor)


def from_name(identifier, kind, name, size):
    """Memory of the page file (Windows). Under a name that is gone the system makes new memory, of zeros: it has no trailer."""
    return Picture(identifier, kind, mmap.mmap(-1, size, tagname=name, access=mmap.ACCESS_READ), name=name)


def from_file(identifier, kind):
    """Read as a whole: what is done to the file from then on changes nothing."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path_of(identifier, "." + kind), flags)  # without O_NONBLOCK a pipe of that name would be waited for
    with open(descriptor, "rb", buffering=0) as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise FrameMissing("it is no file")
        content = bytearray(about.st_size)
        done = 0
        with memoryview(content) as view:
            while done < len(content):
                count = file.readinto(view[done:])
                if not count:
                    raise FrameMissing("it ends after %d of %d bytes" % (done, len(content)))
                done += count
    return Picture(identifier, kind, content)


def report_of(read=(), fault=None):
    """What goes to the host about the pictures of a call."""
    reply = {"read": list(read)}
    if fault is not None:
        reply["fault"] = fault
    return reply


class Delivery:
    """The pictures of one call after the other, or of several that run together. `number`: the inherited socket, None where
    pictures are files."""

    def __init__(self, number=None):
        self.keeper = Keeper()
        self._socket = None
        self._pictures = {}
        self._faults = {}
        self._named = set()
        self._request = None
        self._places = Places()
        self._is_short = False  # of descriptors or of memory
        self.announce = None  # called when a picture is lost in the middle of a call
        if number is not None:
            import _socket  # what the module socket adds takes time at each start

            self._socket = _socket.socket(fileno=number)
            os.set_inheritable(number, False)

    def begin(self, messages):
        """Takes in the pictures of calls that run together; returns the report of each for the host, None for a call that names
        none."""
        self.end()
        if self._is_short:  # what is kept takes the room of what comes; the host, which was told, counts on none of it
            self._is_short = False
            self.forget()
        self.keeper.begin()
        announce, self.announce = self.announce, None
        try:
            return [self._begin(message) for message in messages]
        finally:
            self.announce = announce

    def _begin(self, message):
        wanted = message.get("pictures")
        self._request = message.get("request_id")
        self._places.begin()
        if not isinstance(wanted, list):
            return None
        descriptors, lack = self._receive(any("descriptor" in picture for picture in wanted))
        read = []
        for picture in wanted:
            identifier, kind, number = picture["id"], picture["kind"], picture.get("descriptor")
            place = picture.get("place")
            self._named.add(identifier)
            try:
                if place is not None and number is not None:
                    self._places.empty(place)  # whatever becomes of what is to be there
                taken = self._pictures.get(identifier)
                if taken is not None:  # of another call that runs together with this one
                    if place is not None and number is not None and number < len(descriptors):
                        self._places.put(place, from_memory(identifier, kind, descriptors[number]))
                        descriptors[number] = None
                elif "memory" in picture:
                    taken = from_name(identifier, kind, picture["memory"], picture["bytes"])
                elif number is None and place is not None:
                    taken = self._held(identifier, kind, place)
                elif number is None:
                    taken = from_file(identifier, kind)
                elif number >= len(descriptors):
                    raise NoRoom(lack) if lack else FrameMissing("its memory did not come")
                else:
                    taken = from_memory(identifier, kind, descriptors[number])
                    descriptors[number] = None
                    if place is not None:
                        self._places.put(place, taken)
                self._pictures[identifier] = taken
                if picture.get("method"):
                    read.append(taken.proof(picture["method"], self.keeper))
            except Exception as fault:
                self.lose(identifier, fault)
        for descriptor in descriptors:
            if descriptor is not None:
                os.close(descriptor)
        return report_of(read, self.fault_of(message))

    def _held(self, identifier, kind, place):
        held = self._places.take(place)
        if held is None:
            raise FrameMissing("its memory is not held any more")
        if held.identifier != identifier:  # places that are counted wrongly give no verdict on another picture
            raise FrameMissing("its place holds the memory of %s" % held.identifier)
        return Picture(identifier, kind, held=held)

    def forget(self):
        """Keeps nothing of the host's memory, until the next call."""
        self._places.forget()
        self.keeper.forget()

    def lose(self, identifier, fault):
        """Notes that a picture of the call cannot be read; gives why."""
        if identifier in self._named and isinstance(fault, (OSError, MemoryError, NoRoom)):
            self._is_short = True
        cause = self._faults.get(identifier)
        if cause is None:
            cause = self._faults[identifier] = "frame %s cannot be read: %s" % (identifier, cause_of(fault))
            if self.announce:
                self.announce()
        return cause

    @property
    def fault(self):
        return "; ".join(self._faults.values()) if self._faults else None

    def fault_of(self, message):
        """That of one of the calls that run together. What none of them names may have been for any of them."""
        if not self._faults:
            return None
        own = [picture["id"] for picture in message.get("pictures") or []]
        faults = [why for identifier, why in self._faults.items() if identifier in own or identifier not in self._named]
        return "; ".join(faults) if faults else None

    def picture(self, identifier):
        """The picture of the running call; None when it is none of the call's. Raises FrameMissing when it is lost."""
        if identifier in self._faults:
            raise FrameMissing(self._faults[identifier])
        return self._pictures.get(identifier)

    def names(self):
        """Of the pictures of the running call."""
        return list(self._pictures) + list(self._faults)

    def end(self):
        """The call is over."""
        while self._pictures:
            try:
                self._pictures.popitem()[1].close()
            except (BufferError, OSError):
                pass
        self._places.end()
        self._faults = {}
        self._named = set()
        self._request = None

    def send(self, report):
        """Tells the host of the running call over the socket; False where there is none."""
        if self._socket is None:
            return False
        import json

        reply = {"type": "pictures", "request_id": self._request, "pictures": report}
        self._socket.send(json.dumps(reply).encode("utf-8"))
        return True

    def _receive(self, is_wanted):
        """The descriptors that came with the running call, and why there are fewer than were sent."""
        if self._socket is None or not is_wanted:
            return [], None
        import _socket
        import json

        mine = b'{"request_id":"%s"}' % str(self._request).encode("utf-8")  # as the host writes it: not to be parsed then
        space = _socket.CMSG_SPACE(4 * MOST_DESCRIPTORS)
        flags = _socket.MSG_DONTWAIT | getattr(_socket, "MSG_CMSG_CLOEXEC", 0)
        while True:
            try:
                data, control, state, _ = self._socket.recvmsg(LARGEST_MESSAGE, space, flags)
            except BlockingIOError:
                return [], None
            if not data:
                return [], "the host is gone"
            descriptors = []
            for level, kind, content in control:
                if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                    for at in range(0, len(content) - 3, 4):
                        descriptors.append(int.from_bytes(content[at:at + 4], sys.byteorder))
            if data == mine or json.loads(data.decode("utf-8")).get("request_id") == self._request:
                cut = "OSError: [Errno 24] Too many open files" if state & _socket.MSG_CTRUNC else None
                return descriptors, cut
            for descriptor in descriptors:  # of a call that was given up before it was read
                os.close(descriptor)


def inherited():
    """The delivery over the socket that the host has given this process, or by files."""
    number = os.environ.pop("PROCVISION_PICTURES", None)
    return Delivery(None if number is None else int(number))
