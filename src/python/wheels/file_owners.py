"""Whether files of an environment have several rows in its RECORDs, or a row has none."""
import os

from wheel_files import row_path

# Where a path in a list, each after a line end, has none of these, it is as plain as most are.
UNUSUAL = ("\n.", "\n/", "/.", "//", "\\", ".data")


class Owners:
    """The files that rows of any RECORD name."""

    def __init__(self, is_alone):
        self.is_alone = is_alone
        self.files = set()
        self.contested = False

    def name_none(self):
        """A row that names no file of its wheel: it may be of a file that another process links."""
        if not self.is_alone:
            self.contested = True

    def add_all(self, library, rows):
        """The same for many rows at once, which are looked at one by one where any of them is unusual."""
        text = "\n" + "\n".join([row[0] for row in rows])
        if any(part in text for part in UNUSUAL):
            for row in rows:
                self.add(library, row[0])
            return
        start = library.replace(os.sep, "/") + "/"
        files = {start + row[0] for row in rows}
        if len(files) < len(rows) or not self.files.isdisjoint(files):
            self.contested = True
        self.files |= files

    def add(self, library, row):
        path = row_path(row)
        is_plain = path[:1] != "." and "/." not in path and "//" not in path
        file = library + os.sep + path if is_plain else os.path.normpath(os.path.join(library, path))
        file = file.replace(os.sep, "/")
        # Installers move what is in `.data`: a row that still names it is about a script that another one replaces.
        if file in self.files or path.partition("/")[0].endswith(".data"):
            self.contested = True
        self.files.add(file)
