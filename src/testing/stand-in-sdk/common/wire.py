"""Frames of the worker protocol: four bytes of length (big-endian), then that many bytes of UTF-8 JSON."""
import json
import sys
import time


def now_ms():
    return int(time.time() * 1000)


def write(payload, out=None):
    data = json.dumps(payload, ensure_ascii=False).encode("utf-8")
    stream = out or sys.stdout.buffer
    stream.write(len(data).to_bytes(4, "big") + data)
    stream.flush()


def _exactly(count):
    data = b""
    while len(data) < count:
        chunk = sys.stdin.buffer.read(count - len(data))
        if not chunk:
            return None
        data += chunk
    return data


def read():
    """The next message, or None at the end of the stream and on anything malformed."""
    header = _exactly(4)
    if header is None:
        return None
    length = int.from_bytes(header, "big")
    body = _exactly(length) if length > 0 else None
    if body is None:
        return None
    try:
        return json.loads(body.decode("utf-8"))
    except ValueError:
        return None


def sdk_version():
    try:
        from importlib.metadata import version

        return version("procvision_algorithm_sdk")
    except Exception:
        return "unknown"
