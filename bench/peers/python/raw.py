"""The pixels come over the pipe, behind their length, width and height (uint32, little endian); a line of JSON answers."""
import json
import struct
import sys

import numpy

from crop import mean_of_crop

while True:
    head = sys.stdin.buffer.read(12)
    if len(head) < 12:
        break
    length, width, height = struct.unpack("<III", head)
    pixels = sys.stdin.buffer.read(length)
    picture = numpy.frombuffer(pixels, numpy.uint8).reshape(height, width, 3)
    print(json.dumps({"mean": mean_of_crop(picture)}), flush=True)
