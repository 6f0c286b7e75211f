"""A line of JSON names a file with the pixels; a line of JSON answers."""
import json
import sys

import numpy

from crop import mean_of_crop

for line in sys.stdin:
    request = json.loads(line)
    shape = (request["height"], request["width"], 3)
    picture = numpy.memmap(request["path"], numpy.uint8, "r", shape=shape)
    print(json.dumps({"mean": mean_of_crop(picture)}), flush=True)
