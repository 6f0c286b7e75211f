"""Sessions that keep their values from one call to the next, as long as the host names them."""
import collections

MOST_SESSIONS = 256


class Sessions:
    def __init__(self, session_class):
        self._class = session_class
        self._kept = collections.OrderedDict()

    def of(self, about):
        """The session of a call. One without an id is new each time."""
        identifier, context = about.get("id"), about.get("context") or {}
        if not identifier:
            return self._class("session", context)
        session = self._kept.pop(identifier, None)
        if session is None:
            session = self._class(identifier, context)
        else:
            session._context = dict(context)
        self._kept[identifier] = session
        while len(self._kept) > MOST_SESSIONS:
            self._kept.popitem(last=False)
        return session

    def forget(self, identifier):
        self._kept.pop(identifier, None)
