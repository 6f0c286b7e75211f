"""The folder of the frames of a host, which goes with the host that has died: with its process, or with the thread of it.

Executed by contain.py, in the keeper. Where no worker runs as the host dies, the next host does it (frame-folder.ts).
"""
import os

PREFIX, OWNER, LIFE = "procvision-frames-", "owner.json", "life"
WAIT_SECONDS = 2


class Pool:
    """`frames`: the folder of the worker's frames, or None. Made before the mounts, which may cover the folder."""

    def __init__(self, frames):
        self.descriptor = None
        for folder in (frames, os.path.dirname(frames)) if frames else ():
            parent, self._name = os.path.split(folder)
            if self._name.startswith(PREFIX):
                self.descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
                return

    def remove_abandoned(self, is_ending):
        """`is_ending`: the host is about to be gone. Never raises."""
        import time

        try:
            os.fchdir(self.descriptor)
            until = time.monotonic() + (WAIT_SECONDS if is_ending else 0)
            while not self._is_abandoned():
                if time.monotonic() >= until:
                    return
                time.sleep(0.02)
            self._remove()
        except Exception:
            pass  # others removed it, or the next host will

    def _is_abandoned(self):
        """By the host's sign of life, as life.ts looks for it."""
        import json
        import socket

        with open(os.path.join(self._name, OWNER), encoding="utf-8") as file:
            if json.load(file)["life"]["name"] != LIFE:
                return False
        with socket.socket(socket.AF_UNIX) as caller:
            try:
                caller.connect(os.path.join(self._name, LIFE))
            except (ConnectionRefusedError, FileNotFoundError):
                return True
        return False

    def _remove(self):
        for _, folders, files, descriptor in os.fwalk(self._name, topdown=False, dir_fd=self.descriptor):
            for name in files:
                os.unlink(name, dir_fd=descriptor)
            for name in folders:
                os.rmdir(name, dir_fd=descriptor)
        os.rmdir(self._name, dir_fd=self.descriptor)
