"""The version of an installed package, found as importlib.metadata finds it: that module takes longer to import than the rest of
this worker (25 ms with Python 3.11, most of it for email)."""
import os
import sys


def version_of(name):
    """None where nothing tells. `name`: as a wheel writes it, with underscores."""
    try:
        return from_wheel(name, sys.path) or from_anything(name)
    except Exception:
        return None


def from_wheel(name, folders):
    """What the first `.dist-info` folder tells. None where there is none, or where one of another kind may come before it: an egg,
    or the metadata of setuptools' develop mode."""
    for folder in folders:
        if folder.endswith(".egg"):
            return None
        try:
            entries = os.listdir(folder or os.curdir)
        except OSError:
            continue  # not there, or an archive
        for entry in entries:
            stem, kind = os.path.splitext(entry.lower())
            if kind in (".dist-info", ".egg-info") and stem.partition("-")[0] == name:
                return version_in(os.path.join(folder, entry, "METADATA")) if kind == ".dist-info" else None
    return None


def version_in(file):
    """From the headers of a METADATA file (core metadata specification)."""
    with open(file, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.strip():
                return None  # the end of the headers
            field, colon, value = line.partition(":")
            if colon and field.lower() == "version":
                return value.strip()
    return None


def from_anything(name):
    from importlib.metadata import version

    return version(name)
