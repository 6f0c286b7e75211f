#!/usr/bin/env bash
# A grab that failed (a cable, a switch that drops packets) still has its picture in pypylon: GrabSucceeded() is False, and Array gives an
# array of the full shape without an error, of which only the bytes that came (PayloadSize) are of this picture. ErrorCode is 0 for
# a buffer that was grabbed in part, so that a test of it passes too. Only GrabSucceeded() tells.
#
# Seen with pypylon 26.9 and its emulated camera (64 x 48 Mono8, which can be told to fail), NumPy 2.4.6, Python 3.11:
#   succeeded True, error 0, array (48, 64), 3072 of 3072 bytes, rows with pixels 48
#   succeeded False, error 0, array (48, 64), 307 of 3072 bytes, rows with pixels 5
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pypylon==26.9 numpy==2.4.6
PYLON_CAMEMU=1 env/bin/python - <<'PY' | tee seen
from pypylon import pylon
camera = pylon.InstantCamera(pylon.TlFactory.GetInstance().CreateFirstDevice())
camera.Open()
camera.Width.Value, camera.Height.Value, camera.PixelFormat.Value = 64, 48, "Mono8"
for fails in (False, True):
    camera.StartGrabbingMax(1)
    if fails:
        camera.ForceFailedBufferCount.Value = 1
        camera.ForceFailedBuffer.Execute()
    with camera.RetrieveResult(5000) as grab:
        picture = grab.Array
        print("succeeded %s, error %d, array %s, %d of %d bytes, rows with pixels %d" % (
            grab.GrabSucceeded(), grab.ErrorCode, picture.shape, grab.PayloadSize, picture.nbytes, picture.any(axis=1).sum()))
camera.Close()
PY
expected='succeeded True, error 0, array (48, 64), 3072 of 3072 bytes, rows with pixels 48
succeeded False, error 0, array (48, 64), 307 of 3072 bytes, rows with pixels 5'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
