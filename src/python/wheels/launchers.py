"""The programs that scripts of Windows are made of."""
import io
import os
import sysconfig
import zipfile


class Launchers:
    """The programs that scripts of Windows are made of, out of a pip: program, line of the interpreter, zip with the script."""

    KINDS = {"win-amd64": "64", "win-arm64": "64-arm", "win32": "32"}

    def __init__(self, pip):
        self.pip = pip
        self.known = {}

    def program(self, text, is_window):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr(zipfile.ZipInfo("__main__.py"), text)  # the same bytes each time
        python = b"pythonw.exe" if is_window else b"python.exe"
        # Relative to the launcher's own folder: a store may be moved.
        return self.launcher("w" if is_window else "t") + b"#!<launcher_dir>\\" + python + b"\r\n" + content.getvalue()

    def launcher(self, kind):
        name = "%s%s.exe" % (kind, self.KINDS[sysconfig.get_platform()])
        if name not in self.known:
            path = "pip/_vendor/distlib/" + name
            if os.path.isdir(self.pip):
                with open(os.path.join(self.pip, *path.split("/")), "rb") as file:
                    self.known[name] = file.read()
            else:
                with zipfile.ZipFile(self.pip) as archive:
                    self.known[name] = archive.read(path)
        return self.known[name]
