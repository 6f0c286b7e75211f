"""Memory for pictures that stays from one call to the next: to bring its pages in anew takes longer than to read them.

There are two kinds. A mapping of the host's memory costs no copy, and shows what the host writes there next, as long as nobody
has written to it here: a page that was written to is a copy, and would go on showing the old picture. The mapping is private, so
the algorithm may write all the same; a mapping with such a page goes at the end of its call. The system tells of each page
whether it is a copy (/proc/self/pagemap), and a call without a fault of a page has made none. A buffer takes a copy, from a
mapping that can only be read, and costs nothing more where the algorithm writes to all of it. Which of the two is used goes by
what the algorithm does.

Neither is used again while anything refers to it: what the algorithm keeps of a picture never shows a later one.
"""
import collections
import mmap
import os
import sys

try:
    import numpy
except ImportError:
    numpy = None

MOST_MAPPINGS, MOST_BUFFERS = 8, 8
MOST_BYTES = 1 << 26  # of each kind, where that is more than two pictures
CALLS_UNUSED = 64  # then a mapping goes: the host may have given up that memory, which has its pages as long as this maps it
LARGE_SHARE = 8  # one page of so many written to takes as long as a copy of all
CALLS_IN_A_ROW = 2  # that write so much, before pictures are copied
CALLS_COPIED = 256  # then the algorithm is looked at once more
POPULATE_WRITE = 23  # MADV_POPULATE_WRITE, which the module mmap does not name
FILE_PRESENT = 5  # the upper three bits of an entry: present, not swapped, page of a file


class Memory:
    """`content`: a mapping, or memory of this process alone."""

    def __init__(self, content, key=None):
        self.content, self.key = content, key
        self.address, self.last_used = None, 0

    def references(self):
        return sys.getrefcount(self.content)

    def is_free(self):
        """Whether nothing else refers to it: what looks at memory, refers to it."""
        return self.references() <= ALONE


ALONE = Memory(bytearray(1)).references()


class Keeper:
    """Gives memory for the pictures of a call. `maps`: the end of each call is marked before its answer, so that pictures can be
    mapped until then."""

    def __init__(self):
        self.maps = False
        self._mappings, self._sources, self._buffers, self._mapped = Mappings(), Lasting(), Buffers(), []

    @property
    def way(self):
        """How pictures come to the algorithm now."""
        return "mapped" if self.maps and not self._mappings.copies else "copied"

    def begin(self):
        self._buffers.begin()
        self._sources.begin()
        self._mappings.begin()

    def take(self, picture):
        """Memory with a picture in it, for one reader."""
        if picture.is_shared and self.maps and not self._mappings.copies:
            try:
                memory = self._mappings.take(picture)
                self._mapped.append(memory)
                return memory
            except OSError:
                if picture.descriptor is not None:
                    raise
                # A Windows that maps no memory of the page file as copy-on-write.
        memory = self._buffers.take(picture.size)
        source = None
        if picture.descriptor is not None:
            source = self._sources.pop(picture.key)
            if source is None:
                source = Memory(picture.map(mmap.ACCESS_READ), picture.key)
            self._sources.keep(source)
        picture.copy_into(memory.content, source and source.content)
        return memory

    def maps_anew(self, picture):
        """Whether the memory of a picture is to be mapped, and no mapping of it is kept."""
        return self.maps and not self._mappings.copies and not self._mappings.has(picture)

    def end_call(self):
        """The call is over, and nothing but what the algorithm keeps refers to its pictures."""
        mapped, self._mapped = self._mapped, []
        self._mappings.give_back(mapped)

    def part(self):
        """Gives the mappings of the call pages that no other process sees."""
        for memory in self._mapped:
            part(memory.content)

    def forget(self):
        """Keeps nothing, until the next call."""
        self._mappings.kept.forget()
        self._sources.forget()
        self._buffers = Buffers()

    def copy_from_now_on(self):
        """In a forked process, which does not learn when the call ends."""
        self.maps, self._mapped = False, []
        self._mappings = Mappings()


class Lasting:
    """Mappings by device and inode, which stay those of one memory while it is mapped. Those that were used longest ago go first."""

    def __init__(self):
        self._all = collections.OrderedDict()
        self._calls = self._bytes = 0

    def __contains__(self, key):
        return key in self._all

    def begin(self):
        """A call begins."""
        self._calls += 1
        while self._all:
            memory = next(iter(self._all.values()))
            is_used = self._calls - memory.last_used < CALLS_UNUSED
            if is_used and not too_many(len(self._all), self._bytes, MOST_MAPPINGS):
                return
            self.pop(memory.key).content.close()

    def pop(self, key):
        memory = self._all.pop(key, None)
        if memory is not None:
            self._bytes -= len(memory.content)
        return memory

    def keep(self, memory):
        """One whose key is not kept."""
        memory.last_used = self._calls
        self._all[memory.key] = memory
        self._bytes += len(memory.content)

    def forget(self):
        while self._all:
            self.pop(next(iter(self._all))).content.close()


class Buffers:
    def __init__(self):
        self._all = collections.deque()
        self._taken = []  # in this call, perhaps not looked at yet

    def begin(self):
        self._taken = []

    def take(self, size):
        for memory in self._all:
            if len(memory.content) == size and memory not in self._taken and memory.is_free():
                break
        else:
            memory = Memory(room_for(size))
            self._all.appendleft(memory)
            while too_many(len(self._all), sum(len(one.content) for one in self._all), MOST_BUFFERS):
                self._all.pop()
        self._taken.append(memory)
        return memory


class Mappings:
    def __init__(self):
        self.kept = Lasting()
        self._in_a_row = self._copied = 0
        self._faults = None
        self._pages = None  # descriptor of the page map; False where there is none
        self._getrusage = None
        self.copies = False

    def begin(self):
        """A call begins."""
        self.kept.begin()
        if self.copies:
            self._copied += 1
            if self._copied >= CALLS_COPIED:
                self.copies, self._copied, self._in_a_row = False, 0, CALLS_IN_A_ROW - 1

    def has(self, picture):
        return picture.key in self.kept

    def take(self, picture):
        """A mapping of a picture, until it is given back."""
        memory = self.kept.pop(picture.key)
        if memory is not None:
            if self._faults is None:
                self._faults = self._count_faults()
            return memory
        memory = Memory(picture.map(mmap.ACCESS_COPY), picture.key)
        memory.address = address_of(memory.content)
        return memory

    def give_back(self, memories):
        """The call is over."""
        if not memories:
            return
        free = []
        for memory in memories:
            if memory.is_free():
                free.append(memory)
            else:
                part(memory.content)  # it goes with the last that refers to it
        # After that: a thread may write, and release its picture, while the call ends.
        has_faults = self._faults is None or self._count_faults() != self._faults
        self._faults = None
        most = 0
        for memory in free:
            is_new = memory.last_used == 0
            written = self._written(memory) if has_faults or is_new else 0
            if written:
                most = max(most, written * mmap.PAGESIZE * LARGE_SHARE // len(memory.content))
            if written == 0 and memory.key not in self.kept:
                self.kept.keep(memory)
            else:
                memory.content.close()
        self._in_a_row = self._in_a_row + 1 if most else 0
        self.copies = self._in_a_row >= CALLS_IN_A_ROW
        if self.copies:
            self.kept.forget()

    def _written(self, memory):
        """How many pages are copies; None where the system does not tell."""
        pages = -(-len(memory.content) // mmap.PAGESIZE)
        if memory.address is None or not self._open_pages():
            return None
        try:
            entries = os.pread(self._pages, 8 * pages, memory.address // mmap.PAGESIZE * 8)
        except OSError:
            return None
        if len(entries) != 8 * pages:
            return None
        if numpy is None:
            return sum(entry >> 61 not in (0, FILE_PRESENT) for entry in memoryview(entries).cast("Q"))
        kinds = numpy.frombuffer(entries, numpy.uint64) >> numpy.uint64(61)
        return int(numpy.count_nonzero((kinds != 0) & (kinds != FILE_PRESENT)))

    def _open_pages(self):
        if self._pages is None:
            try:
                self._pages = os.open("/proc/self/pagemap", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            except OSError:
                self._pages = False
        return self._pages is not False

    def _count_faults(self):
        if self._getrusage is None:
            import resource  # only where there is something to be kept

            self._getrusage, self._who = resource.getrusage, resource.RUSAGE_SELF
        usage = self._getrusage(self._who)
        return usage.ru_minflt + usage.ru_majflt  # of a page that was swapped out, the first write is a major one


def room_for(size):
    """Memory of this process alone, of large pages where the system has them: a copy takes a fifth less time into those."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return bytearray(size)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        memory.madvise(mmap.MADV_HUGEPAGE)
    except OSError:
        pass  # a kernel without them
    return memory


def address_of(content):
    """Where a mapping begins; None where nothing tells."""
    if numpy is not None:
        return numpy.frombuffer(content, numpy.uint8, 1).__array_interface__["data"][0]
    try:
        import ctypes
    except ImportError:
        return None
    return ctypes.addressof(ctypes.c_char.from_buffer(content))


def too_many(count, size, most):
    return count > most or (count > 2 and size > MOST_BYTES)


def part(content):
    """Gives a mapping pages that no other process sees: as by a write to each."""
    try:
        # Writes nothing: another thread may write to the same place in this moment.
        content.madvise(POPULATE_WRITE)
        return
    except (AttributeError, OSError, ValueError):
        pass  # no Linux, or one before 5.14
    with memoryview(content) as view:
        view[::mmap.PAGESIZE] = view[::mmap.PAGESIZE]
