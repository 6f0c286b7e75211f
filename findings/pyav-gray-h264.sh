#!/usr/bin/env bash
# A grey recording without loss (PyAV, libx264, pix_fmt gray, crf 0) comes back with other grey values: what was below 16 is 0, what was above
# 235 is 255, and 200 is 214. The pixels in the file are right. But the decoder gives yuv420p in place of gray, and says of no range that it is
# in; to_ndarray(format='gray') or 'rgb24' then takes the pixels for those of television, which go from 16 to 235, and stretches them. A
# limit on bright or dark pixels that was set on live pictures sees clipped ones in the recording. ffv1 keeps the name gray and is
# right. Set codec_context.color_range = 2 before the first frame; of an old recording take the first rows of to_ndarray(), which are grey.
#
# Seen with av 18.1.0, NumPy 2.4.6, Python 3.11 (the pixels 0, 16, 100, 200, 235 and 254):
#   libx264: yuv420p, range 0, in the file 0 16 100 200 235 254, as gray 0 0 98 214 255 255, as rgb24 0 0 97 214 255 255
#   libx264, color_range 2: yuvj420p, range 2, in the file 0 16 100 200 235 254, as gray 0 16 100 200 235 254, as rgb24 0 16 100 200 235 254
#   ffv1: gray, range 0, in the file 0 16 100 200 235 254, as gray 0 16 100 200 235 254, as rgb24 0 16 100 200 235 254
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
env/bin/python - > seen <<'PY'
import io
import av, numpy
VALUES = [0, 16, 100, 200, 235, 254]
picture = numpy.repeat(numpy.repeat([VALUES], 16, axis=1), 64, axis=0).astype(numpy.uint8)
def show(codec, color_range=None, **options):
    file = io.BytesIO()
    with av.open(file, 'w', format='matroska') as recording:
        stream = recording.add_stream(codec, rate=1, options=options)
        stream.height, stream.width = picture.shape
        stream.pix_fmt = 'gray'
        if color_range is not None:
            stream.codec_context.color_range = color_range
        for frame in (av.VideoFrame.from_ndarray(picture, format='gray'), None):
            recording.mux(stream.encode(frame))
    file.seek(0)
    with av.open(file) as recording:
        frame = next(recording.decode(video=0))
    def row(array):
        line = array[0] if array.ndim == 2 else array[0, :, 0]
        return ' '.join(str(value) for value in line[8::16])
    print('%s%s: %s, range %d, in the file %s, as gray %s, as rgb24 %s' % (
        codec, '' if color_range is None else ', color_range %d' % color_range, frame.format.name, frame.color_range,
        row(frame.to_ndarray()), row(frame.to_ndarray(format='gray')), row(frame.to_ndarray(format='rgb24'))))
show('libx264', crf='0')
show('libx264', color_range=2, crf='0')
show('ffv1')
PY
cat seen
[ "$(cat seen)" = 'libx264: yuv420p, range 0, in the file 0 16 100 200 235 254, as gray 0 0 98 214 255 255, as rgb24 0 0 97 214 255 255
libx264, color_range 2: yuvj420p, range 2, in the file 0 16 100 200 235 254, as gray 0 16 100 200 235 254, as rgb24 0 16 100 200 235 254
ffv1: gray, range 0, in the file 0 16 100 200 235 254, as gray 0 16 100 200 235 254, as rgb24 0 16 100 200 235 254' ] || { echo 'This has changed' >&2; exit 1; }
