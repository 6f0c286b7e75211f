"""Sessions that keep their values from one call to the next, as long as the host names them."""
import collections

MOST_SESSIONS = 1000


class Sessions:
    def __init__(self, session_class):
        self._class = session_class
        self._kept = collections.OrderedDict()

    def of(self, about, request_id):
        """The session of a call.

        A session without a name is new each time, and not kept: it would push out sessions with a name. The host names
        it after the request (of which a further attempt has `~` and a number at its end).
        """
        identifier, context = about.get("id"), about.get("context") or {}
        if not identifier or identifier == request_id.partition("~")[0]:
            return self._class(identifier or "session", context)
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
