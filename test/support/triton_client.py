"""Drives a server of the Open Inference Protocol with tritonclient, as its own users do; prints what came back as JSON."""
import json
import sys

import numpy
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

url, version = sys.argv[1:3]
client = http.InferenceServerClient(url)
found = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "server": client.get_server_metadata(),
    "model": client.get_model_metadata("A01"),
    "model ready": [client.is_model_ready("A01"), client.is_model_ready("A01", version), client.is_model_ready("nobody")],
}
pixels = numpy.arange(4 * 8 * 3, dtype=numpy.uint8).reshape(4, 8, 3)


def infer(binary, outputs=True, **more):
    image = http.InferInput("image", list(pixels.shape), "UINT8")
    image.set_data_from_numpy(pixels, binary_data=binary)
    wanted = [http.InferRequestedOutput(name, binary_data=binary) for name in ("verdict", "result")]
    answer = client.infer("A01", [image], outputs=wanted if outputs else None, request_id="r-1", **more)
    result = json.loads(answer.as_numpy("result")[0])
    return {"verdict": answer.as_numpy("verdict")[0].decode(), "debug": result["data"].get("debug"), "head": answer.get_response()}


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def fails(call):
    try:
        call()
    except InferenceServerException as error:
        return [error.status(), error.message()]
    return None


found["binary"] = infer(True)
found["default outputs"] = infer(True, outputs=False)["verdict"]
found["version"] = infer(True, model_version=version)["verdict"]
found["ng"] = infer(True, parameters={"ng": True})["verdict"]
ng = http.InferInput("ng", [1], "BOOL")
ng.set_data_from_numpy(numpy.array([True]))
image = http.InferInput("image", list(pixels.shape), "UINT8")
image.set_data_from_numpy(pixels)
found["ng by tensor"] = text(client.infer("A01", [image, ng]).as_numpy("verdict")[0])
plain = http.InferInput("image", list(pixels.shape), "UINT8")
plain.set_data_from_numpy(pixels, binary_data=False)
wanted = [http.InferRequestedOutput("verdict", binary_data=False)]
found["json"] = client.infer("A01", [plain], outputs=wanted).get_response()
found["unknown model"] = fails(lambda: client.infer("nobody", [image]))
found["timeout"] = fails(lambda: infer(True, timeout=300_000, parameters={"sleep_ms": 60_000}))
wide = http.InferInput("image", [4, 8, 2], "UINT8")
wide.set_data_from_numpy(pixels[:, :, :2])
found["shape"] = fails(lambda: client.infer("A01", [wide]))
with http.InferenceServerClient(url, concurrency=4) as many:
    calls = [many.async_infer("A01", [image], request_id=str(n)) for n in range(12)]
    found["async"] = [call.get_result().get_response()["id"] for call in calls]
print(json.dumps(found))
