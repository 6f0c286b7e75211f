"""Writes a set of wheels: wheel-set.py FOLDER WHEELS FILES_A_WHEEL BYTES_A_FILE. Half of each file packs well."""
import base64
import hashlib
import os
import random
import sys
import zipfile

folder, wheels, files, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
noise = random.Random(1).randbytes(4 << 20) if hasattr(random.Random, "randbytes") else os.urandom(4 << 20)
text = b"def answer(value):\n    return value * 42  # as everywhere\n" * (size // 57 + 1)
for number in range(wheels):
    name = "bulk%d" % number
    info = "%s-1.0.dist-info" % name
    record = []
    with zipfile.ZipFile(os.path.join(folder, name + "-1.0-py3-none-any.whl"), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:

        def add(path, content):
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append("%s,sha256=%s,%d" % (path, digest, len(content)))
            archive.writestr(path, content)

        for index in range(files):
            start = (index * 7919) % (len(noise) - size // 2)
            # Unlike sizes, as real wheels have them: every fourth file is large.
            part = size * 3 if index % 4 == 0 else size // 3
            body = (noise[start : start + part // 2] + text * 3)[:part]
            add("%s/part%d/file%d.py" % (name, index % 50, index), b"# %d\n" % index + body)
        add(info + "/METADATA", b"Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n\n" % name.encode())
        add(info + "/WHEEL", b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n\n")
        archive.writestr(info + "/RECORD", "\n".join(record + [info + "/RECORD,,", ""]))
