"""Frames: four bytes of length (unsigned, big-endian), then that many bytes of UTF-8 JSON.

One thread reads at a time. That is the main thread as long as it is idle: a call reaches the algorithm without being
handed over. While a call runs, the watcher reads in its place and answers pings; whatever else comes waits.
"""
import collections
import json
import os
import select
import threading
import time

CHUNK = 1 << 16
# How long a call runs before the watcher looks for pings, and how often it looks then.
WATCH_SECONDS = 0.25
# How long an answer is kept for the next, while there is more to do: then the host reads the first ones while others are made.
KEEP_SECONDS = 0.0002


class Channel:
    _keeps = True  # the watcher looks at times for what was kept

    def __init__(self, read_fd, output):
        self._read_fd, self._output = read_fd, output
        self._bytes = bytearray()
        self._waiting = collections.deque()
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._busy = False
        self._at_end = False
        self._kept_since = None  # an answer is kept
        self.idle = lambda: None  # called at a ping between messages

    def start_watching(self):
        threading.Thread(target=self._watch, name="procvision-pings", daemon=True).start()

    def send(self, message):
        self.write(self.frame(message))

    @staticmethod
    def frame(message):
        data = encode(message)
        return len(data).to_bytes(4, "big") + data

    def write(self, frame):
        with self._writing:
            self._output.send(frame)

    def answer(self, frame, can_wait):
        """Writes an answer; with `can_wait` it goes with one of the next, before there is nothing to do, or with the watcher's
        next look."""
        with self._writing:
            now = time.perf_counter()
            since = self._kept_since
            if can_wait and self._keeps and (since is None or now - since < KEEP_SECONDS):
                self._output.write(frame)
                self._kept_since = now if since is None else since
            else:
                self._output.send(frame)
                self._kept_since = None

    def receive(self):
        """The next message, or None at the end of the input. Pings are answered on the way."""
        self._busy = False
        with self._reading:
            while True:
                while not self._waiting:
                    if self._at_end:
                        return None
                    self._fill()
                message = self._waiting.popleft()
                if message.get("type") != "ping":
                    self._busy = True
                    return message
                if not message.get("during_call"):  # as the host sees it: more of its message may be to come
                    self.idle()  # nothing else has come for the time of a heartbeat
                self._pong(message, "OK")

    def _fill(self):
        """Reads what there is, and takes the whole messages out of it."""
        if self._kept_since is not None and not select.select([self._read_fd], [], [], 0)[0]:
            with self._writing:
                self._output.flush()
                self._kept_since = None
        chunk = os.read(self._read_fd, CHUNK)
        if not chunk:
            self._at_end = True
            return
        if not self._bytes and len(chunk) >= 4 and len(chunk) == 4 + int.from_bytes(chunk[:4], "big"):
            self._take(chunk[4:])  # one whole frame, as nearly always
            return
        self._bytes += chunk
        while len(self._bytes) >= 4:
            end = 4 + int.from_bytes(self._bytes[:4], "big")
            if len(self._bytes) < end:
                return
            body = bytes(self._bytes[4:end])
            del self._bytes[:end]
            self._take(body)

    def _take(self, body):
        message = _decoder.decode(body.decode("utf-8"))
        if isinstance(message, dict):
            self._waiting.append(message)

    def _watch(self):
        while True:
            time.sleep(WATCH_SECONDS)
            if not self._busy:
                continue
            try:
                with self._writing:
                    self._output.flush()
                    self._kept_since = None
            except OSError:
                continue  # the host is gone
            if not self._reading.acquire(False):
                continue
            try:
                # Nothing is waited for here: the main thread may come back at any moment.
                while self._busy and not self._at_end and select.select([self._read_fd], [], [], 0)[0]:
                    self._fill()
                pings = [message for message in self._waiting if message.get("type") == "ping"]
                for ping in pings:
                    self._waiting.remove(ping)
                    self._pong(ping, "BUSY")
            except (OSError, ValueError):
                self._at_end = True
            finally:
                self._reading.release()

    def _pong(self, ping, status):
        self.send({"type": "pong", "request_id": ping.get("request_id"), "timestamp_ms": now_ms(), "status": status})


class ThreadedChannel(Channel):
    """For a system that does not tell whether a pipe has something to read (Windows): one thread waits for it always,
    and hands over what is not a ping."""

    _keeps = False

    def __init__(self, read_fd, output):
        super().__init__(read_fd, output)
        from queue import SimpleQueue

        self._calls = SimpleQueue()

    def receive(self):
        self._busy = False
        message = self._calls.get()
        self._busy = True
        return message

    def _watch(self):
        try:
            while not self._at_end:
                self._fill()
                while self._waiting:
                    message = self._waiting.popleft()
                    if message.get("type") == "ping":
                        self._pong(message, "BUSY" if self._busy else "OK")
                    else:
                        self._calls.put(message)
        except (OSError, ValueError):
            pass  # what cannot be read is the end of it
        self._calls.put(None)


def now_ms():
    return int(time.time() * 1000)


def encode(message):
    """JSON as the SDK's adapter writes it, NaN and the infinities included: the host reports them by their paths. What
    NumPy made is a plain number or list."""
    return _to_json(message).encode("utf-8", "replace")


def plain(value):
    for method in ("tolist", "item"):
        convert = getattr(value, method, None)
        if convert:
            return convert()
    raise TypeError("%s is not JSON" % type(value).__name__)


def _maker():
    """json.dumps makes an encoder anew for every call with options, and JSONEncoder.encode the C part of it: here that
    is made once. What refers to itself ends in a RecursionError."""
    options = {"ensure_ascii": False, "separators": (",", ":"), "default": plain}
    encoder = json.JSONEncoder(check_circular=False, **options)
    try:
        chunks = json.encoder.c_make_encoder(None, plain, json.encoder.encode_basestring, None, ":", ",",
                                             False, False, True)
        chunks({}, 0)
    except TypeError:  # no C part, or one of another shape
        return encoder.encode
    return lambda message: "".join(chunks(message, 0))


_to_json = _maker()
_decoder = json.JSONDecoder()
