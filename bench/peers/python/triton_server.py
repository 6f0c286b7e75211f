"""A Triton server with one Python model, through PyTriton: triton_server.py PORT WORKERS. It serves until its stdin ends."""
import os
import sys

import numpy
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig, TritonSecurityConfig

from crop import mean_of_crop


def infer(requests):
    return [{"mean": numpy.array([mean_of_crop(request["image"])])} for request in requests]


port = int(sys.argv[1])
config = TritonConfig(
    http_address="127.0.0.1", http_port=port, allow_grpc=False, allow_metrics=False, log_verbose=0
)
# Shared memory is registered with this token.
security = TritonSecurityConfig(access_token=os.environ["TRITON_TOKEN"])
with Triton(config=config, security_config=security) as triton:
    triton.bind(
        model_name="crop",
        infer_func=[infer] * int(sys.argv[2]),
        inputs=[Tensor(name="image", dtype=numpy.uint8, shape=(-1, -1, 3))],
        outputs=[Tensor(name="mean", dtype=numpy.float64, shape=(1,))],
        config=ModelConfig(batching=False),
    )
    triton.run()
    print("ready", flush=True)
    sys.stdin.read()
