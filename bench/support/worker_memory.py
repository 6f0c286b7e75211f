"""What the worker's memory for pictures costs: a picture of the host's is taken in, worked on and given back; beside it one copy
out of such memory and the same work, by NumPy alone. Each line of the input is a number of rounds; the answer is the median in
milliseconds.

    worker_memory.py FOLDER_OF_WORKER WAY WORK HEIGHT WIDTH

WAY is `worker` (bundled), `sdk` or `plain`; WORK is `write` (every value), `read` (one of 64) or `part` (64 x 64 pixels).
"""
import json
import mmap
import os
import socket
import sys
import time
import types

import numpy

folder, way, work = sys.argv[1:4]
height, width = int(sys.argv[4]), int(sys.argv[5])
SLOTS = 3


def worked(picture):
    if work == "write":
        numpy.add(picture, 1, out=picture)
    elif work == "read":
        numpy.bitwise_or.reduce(picture.reshape(-1)[::64])
    else:
        picture[:64, :64].mean()


def header():
    fields = "{'descr': '|u1', 'fortran_order': False, 'shape': (%d, %d, 3), }" % (height, width)
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + (fields.ljust(117) + "\n").encode()


def filled(slot, number):
    """A camera writes: here the first values alone."""
    slot[200:208] = number.to_bytes(8, "little")


def slots_of(size):
    slots = []
    for _ in range(SLOTS):
        descriptor = os.memfd_create("slot")
        os.ftruncate(descriptor, size)
        slots.append((descriptor, mmap.mmap(descriptor, size)))
    return slots


def plain():
    slots = slots_of(height * width * 3)
    sources = [numpy.frombuffer(memory, numpy.uint8) for _, memory in slots]
    target = numpy.zeros(height * width * 3, numpy.uint8)

    def take(number):
        target[...] = sources[number % SLOTS]
        worked(target.reshape(height, width, 3))

    return take, lambda number: filled(slots[number % SLOTS][1], number)


def of_worker():
    package = types.ModuleType("procvision_bundled_worker")
    package.__path__ = [folder]
    sys.modules[package.__name__] = package
    from procvision_bundled_worker import delivery, frames

    host, own = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    frames.use(delivery.Delivery(own.detach()), way == "worker")
    slots = slots_of(len(header()) + height * width * 3 + 16)
    for _, memory in slots:
        memory[:len(header())] = header()
        memory[-16:] = b"PVFRAME1" + (1).to_bytes(8, "little")
    meta = {"width": width, "height": height}

    def send(number):
        descriptor, memory = slots[number % SLOTS]
        filled(memory, number)
        socket.send_fds(host, [json.dumps({"request_id": str(number)}).encode()], [descriptor])

    def take(number):
        picture = {"id": "f%d" % (number % SLOTS), "kind": "npy", "descriptor": 0, "method": "sampled"}
        frames.begin({"request_id": str(number), "pictures": [picture]})
        worked(frames.read_image(picture["id"], meta))
        if way == "worker":
            frames.end_call()

    return take, send


take, before = plain() if way == "plain" else of_worker()
number = 0
for line in sys.stdin:
    samples = []
    for _ in range(int(line)):
        number += 1
        before(number)
        started = time.perf_counter()
        take(number)
        samples.append(time.perf_counter() - started)
    print(json.dumps({"mean": sorted(samples)[len(samples) // 2] * 1000}), flush=True)
