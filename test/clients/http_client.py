"""Drives a station with the package requests, as a script of a user does; prints what came back as JSON."""
import json
import sys
import threading

import requests

url, package = sys.argv[1:]
found, ready = {}, threading.Event()


def listen():
    with requests.get(url + "/events?names=result", stream=True, timeout=60) as stream:
        for line in stream.iter_lines():
            ready.set()
            if line.startswith(b"data: "):
                found["event"] = json.loads(line[6:])["productId"]
                return


with open(package, "rb") as body:
    answer = requests.post(url + "/algorithms/install", data=body, headers={"content-type": "application/zip"}, timeout=60)
found["upload"] = [answer.status_code, answer.json().get("name")]
listener = threading.Thread(target=listen)
listener.start()
ready.wait(60)
raw = {"content-type": "application/octet-stream", "x-image-width": "2", "x-image-height": "2"}
answer = requests.post(url + "/inspections/A01", data=bytes(12), headers=raw, timeout=60)
found["inspection"] = [answer.status_code, answer.json()["data"]["result_status"]]
form = {"image": ("pixels", bytes(12), "application/octet-stream"), "params": (None, '{"ng": true}')}
sizes = {"x-image-width": "2", "x-image-height": "2"}
answer = requests.post(url + "/inspections/A01", files=form, headers=sizes, timeout=60)
found["form"] = [answer.status_code, answer.json()["data"]["result_status"]]
listener.join(60)
print(json.dumps(found))
