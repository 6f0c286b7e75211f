"""Stands between the adapter of a package's SDK and the pictures of its calls.

The SDK's own reader returns a black image for a picture that it cannot read, without an error. Here each picture of a
call is read and its checksum sent to the host before the adapter gets the call. The SDK's function returns that picture.
A picture that cannot be read makes the call an ERROR, also if the algorithm ignores it. The SDK on the disk is unchanged.

Executed by launch.py.
"""
import json

CALL, PING = b'{"type":"call"', b'{"type":"ping"'


class TappedStream:
    """Tells of each message that the adapter has read whole, before the adapter gets the last of it."""

    def __init__(self, stream, heard):
        self._stream = stream
        self._heard = heard
        self._bytes = bytearray()

    def read(self, size=-1):
        data = self._stream.read(size)
        if data:
            self._bytes += data
            self._take()
        return data

    def _take(self):
        while len(self._bytes) >= 4:
            end = 4 + int.from_bytes(self._bytes[:4], "big")
            if len(self._bytes) < end:
                return
            body = bytes(self._bytes[4:end])
            del self._bytes[:end]
            self._heard(body)

    def __getattr__(self, name):
        return getattr(self._stream, name)


class ProvenFrames:
    """`own_modules`: finds those of the bundled worker; `output`: of the protocol, where there is no socket to the host."""

    def __init__(self, own_modules, output):
        with own_modules:
            from procvision_bundled_worker import delivery, frames, tracing
        self._frames, self._output, self._tracing, self._report_of = frames, output, tracing, delivery.report_of
        self._pictures = delivery.inherited()
        self._request = None
        frames.use(self._pictures, maps=False)

    def tap(self, stream):
        """For the adapter to read from instead."""
        return TappedStream(stream, self._heard)

    def take_the_place_of(self, package):
        """Imports the SDK. Before the adapter does, which takes the function by its name."""
        import importlib

        try:
            sdk = importlib.import_module(package)
        except Exception:
            return  # the adapter cannot be imported either, and says so
        self._frames.take_the_place_of(sdk)

    def _heard(self, body):
        if body.startswith(PING):
            self._pictures.keeper.forget()  # no call has come for the time of a heartbeat
        if not body.startswith(CALL):
            return
        try:
            message = json.loads(body.decode("utf-8"))
        except ValueError:
            return  # the adapter will not understand it either
        self._request = message.get("request_id")
        self._tracing.enter(message)
        self._pictures.announce = lambda: self._tell(self._report_of(fault=self._pictures.fault))
        report = self._frames.begin(message)
        if report is not None:
            self._tell(report)

    def _tell(self, report):
        if self._pictures.send(report):
            return
        data = json.dumps({"type": "pictures", "request_id": self._request, "pictures": report}).encode("utf-8")
        self._output.send(len(data).to_bytes(4, "big") + data)
