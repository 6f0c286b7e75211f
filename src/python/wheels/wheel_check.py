"""Reads every file of an unpacked wheel that its RECORD has a hash of."""
import os

from wheel_files import encode, hash_file, is_byte_code, read_list, read_record, row_path, touched, tree_of, write_list


def check(request, _lines, progress):
    """Whether the wheel is as its RECORD says. What was touched without being changed then gets its time back."""
    folder, tree = request["folder"], tree_of(request["folder"])
    files = read_list(folder)
    if files is None:
        return {"sound": False}
    suspects = {row[0] for row in touched(folder, files)}
    listed = {row[0] for row in files}
    record = read_record(folder, request["info"])
    if record is None:
        return {"sound": False}
    odd = {row["path"]: row.get("hash") for row in request["oddities"]}
    done = 0
    for row, value, size in record:
        value, path = odd.get(row, value), row_path(row)
        if not value or path == request["info"] + "/RECORD" or is_byte_code(path):
            continue
        algorithm, _, expected = value.partition("=")
        target = os.path.join(tree, path)
        try:
            is_same = path in listed and os.path.isfile(target)
            is_same = is_same and encode(hash_file(target, algorithm)) == expected.rstrip("=")
        except (OSError, ValueError):
            is_same = False
        if not is_same:
            return {"sound": False}
        suspects.discard(path)
        done += int(size) if size.isdigit() else 0
        progress(done)
    if suspects:  # RECORD tells nothing of these
        return {"sound": False}
    for row in files:
        target = os.path.join(tree, row[0])
        if os.lstat(target).st_mtime_ns != row[2]:
            os.utime(target, ns=(row[2], row[2]))
            row[2] = os.lstat(target).st_mtime_ns  # a file system may keep time less exactly
    write_list(folder, files)
    return {"sound": True}
