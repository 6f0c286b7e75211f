"""Memory of the host that stays open from one call to the next: it need not come with each."""
import os

CALLS_UNUSED = 64  # then it goes: the host counts on it for half as many


class Held:
    """Its name, its size, its shape and its header are the same as long as it is there: what is in it, and its generation, are not."""

    def __init__(self, picture, call):
        self.identifier, self.descriptor, self.key, self.last_used = picture.identifier, picture.descriptor, picture.key, call
        self.size, self.shape, self.offset, self.width = picture.size, picture.shape, picture.offset, picture.width

    def is_open(self):
        """Whether the number is that of the memory still: the algorithm may have closed it, and opened something else."""
        about = os.fstat(self.descriptor)
        return (about.st_dev, about.st_ino) == self.key


class Places:
    """By the numbers that the host gives. What leaves its place stays open until the end of the call, which may have begun with it."""

    def __init__(self):
        self._all = {}
        self._leaving = []
        self._calls = 0

    def begin(self):
        """A call begins."""
        self._calls += 1
        if self._calls % CALLS_UNUSED == 0:
            for place, held in list(self._all.items()):
                if self._calls - held.last_used >= CALLS_UNUSED:
                    self.empty(place)

    def put(self, place, picture):
        self.empty(place)
        self._all[place] = Held(picture, self._calls)
        picture.is_held = True

    def take(self, place):
        held = self._all.get(place)
        if held is not None:
            held.last_used = self._calls
        return held

    def empty(self, place):
        held = self._all.pop(place, None)
        if held is not None:
            self._leaving.append(held)

    def end(self):
        """No call has begun with what has left its place."""
        while self._leaving:
            held = self._leaving.pop()
            try:
                if held.is_open():
                    os.close(held.descriptor)
            except OSError:
                pass  # the algorithm has closed it

    def forget(self):
        for place in list(self._all):
            self.empty(place)
        self.end()
