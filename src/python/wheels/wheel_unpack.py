"""Unpacks the entries of a wheel, whose headers and names the host has checked, by as many processes as there are cores (by
threads where processes cannot be forked: inflating, hashing and writing leave the interpreter to others).

Each file is counted, its CRC-32 compared and its SHA-256 taken while it passes, then held against RECORD: no byte is
read or written twice.
"""
import errno
import hashlib
import heapq
import os
import queue
import re
import threading
import zipfile
import zlib

from by_processes import THREADS, by_processes, cores, each_by_threads
from start_writing import start_writing
from wheel_files import (
    CHUNK,
    LIST,
    Fault,
    encode,
    hash_file,
    is_byte_code,
    is_description,
    read_record,
    row_path,
    tree_of,
    write_list,
)

STORED = 0
ZSTANDARD = 93
# What a file costs besides its bytes, in bytes.
FILE_COST = 30000
# Less than this is not worth another process.
SHARE_AT_LEAST = 4 << 20
MOST_PROCESSES = 4
# Windows writes to the disk by a handle that may write, of which there is none any more for a read-only file.
CAN_SYNC_LATER = os.name != "nt"
BINARY = getattr(os, "O_BINARY", 0)  # Windows translates line ends otherwise


def unpack(request, lines, progress):
    """`lines`: lists of [path, offset, packed size, method, size, CRC-32, executable], an entry each.

    Gives the hashes RECORD has of `marks`, and what is odd about its rows.
    """
    folder, info = request["folder"], request["info"]
    entries = [entry for line in lines for entry in line]
    confirm(request["archive"], entries)
    results = unpack_all(request["archive"], tree_of(folder), entries, progress, request["sync"])
    files = []
    for entry, (_, mtime) in zip(entries, results):
        files.append([entry[0], entry[4], mtime, bool(entry[6])])
    record = read_record(folder, info)
    if record is None:
        raise Fault("has no RECORD")
    oddities = compare(folder, info, record, {entry[0]: (digest, entry[4]) for entry, (digest, _) in zip(entries, results)})
    write_list(folder, sorted(files))
    if request["sync"]:
        folders = [path for path, _, _ in os.walk(folder)] if CAN_SYNC_LATER else []  # Windows writes them by itself
        sync_all(folders + [os.path.join(folder, LIST)])
    wanted = {"%s/%s" % (info, name) for name in request["marks"]}
    marks = {path: value for path, value, _ in record if path in wanted}
    return {"marks": marks, "oddities": oddities}


def confirm(archive, entries):
    """Holds what the host read of the directory against what Python's own reader, which is pip's too, makes of it."""
    try:
        with zipfile.ZipFile(archive) as second:
            found = {re.sub(r"^(\./)+", "", info.filename): info for info in second.infolist()}
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise Fault("its directory cannot be read by a second reader (%s)" % error)
    for path, _, packed, method, size, crc, _ in entries:
        info = found.get(path)
        if info is None and path.isascii():
            raise Fault("two readers differ in its presence", path)
        # Without the flag for UTF-8 Python takes a name for code page 437; its bytes may say otherwise.
        if info and (info.compress_size, info.compress_type, info.file_size, info.CRC) != (packed, method, size, crc):
            raise Fault("two readers differ in its sizes, method or CRC-32", path)


def compare(folder, info, record, digests):
    """Rows of RECORD that do not tell the truth, of what pip does not look at. What is code must be as its row says."""
    oddities = []

    def odd(path, text, digest=None):
        row = {"path": path, "text": text}
        if digest is not None:
            row["hash"] = "sha256=" + encode(bytes.fromhex(digest))
        oddities.append(row)

    for path, value, size in record:
        name = row_path(path)
        if name == info + "/RECORD" or is_byte_code(name):  # no file can hold its own hash
            continue
        if name not in digests:
            odd(path, "is in RECORD and not in the wheel")
            continue
        digest, bytes_there = digests[name]
        if not value:
            continue
        algorithm, _, expected = value.partition("=")
        if algorithm == "sha256":
            found = encode(bytes.fromhex(digest))
        elif algorithm in hashlib.algorithms_available:
            found = encode(hash_file(os.path.join(tree_of(folder), name), algorithm))
        else:
            raise Fault("has a RECORD with hashes by %s, which this Python does not know" % algorithm)
        if found != expected.rstrip("="):
            if not is_description(name, info):
                raise Fault("has a %s that differs from its RECORD" % path)
            odd(path, "differs from its RECORD", digest)
        elif size.strip() not in ("", str(bytes_there)):
            odd(path, "has %d bytes, its RECORD says %s" % (bytes_there, size[:20]), digest)
        elif name != path or expected.endswith("="):
            odd(path, "is written in an unusual way in RECORD", digest)
    return oddities


def unpack_all(archive, tree, entries, progress, durable):
    """[SHA-256 in hex, modification time in ns] of each entry."""
    results = [None] * len(entries)
    done = reported = 0
    total = sum(entry[4] for entry in entries)
    failure = None
    shares = divide(entries)
    run = by_processes if hasattr(os, "fork") and len(shares) > 1 else by_threads
    told = run(shares, lambda share, tell: work(archive, tree, entries, share, tell, durable))
    for index, digest, rest in told:
        if digest is None:
            failure = (index, rest)
            break
        results[index] = (digest, rest)
        done += entries[index][4]
        if done - reported >= total / 200:
            reported = done
            progress(done)
    told.close()
    if failure:
        fail(failure, entries)
    if None in results:
        raise OSError(errno.EIO, "an unpacking process ended before its time")
    return results


def by_threads(shares, work):
    """The same. When it is closed early, each thread ends with the file that it is at."""
    told, is_closed = queue.SimpleQueue(), threading.Event()

    def tell(*values):
        if is_closed.is_set():
            raise SystemExit
        told.put(values)

    def run(share):
        try:
            work(share, tell)
        except SystemExit:
            pass
        finally:
            told.put(None)

    threads = [threading.Thread(target=run, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    left = len(threads)
    try:
        while left:
            values = told.get()
            if values is None:
                left -= 1
            else:
                yield values
    finally:
        is_closed.set()
        for thread in threads:
            thread.join()


def divide(entries):
    """Indexes for each process, alike in bytes, each in the order in which the entries lie."""
    total = sum(entry[4] + FILE_COST for entry in entries)
    # Threads wait for the disk file by file: more of them than there are cores are of use.
    most = min(cores(), MOST_PROCESSES) if hasattr(os, "fork") else THREADS
    count = max(1, min(most, total // SHARE_AT_LEAST))
    shares = [[] for _ in range(count)]
    loads = [(0, index) for index in range(count)]
    for index, entry in enumerate(entries):
        load, least = loads[0]
        shares[least].append(index)
        heapq.heapreplace(loads, (load + entry[4] + FILE_COST, least))
    return shares


def work(archive, tree, entries, share, tell, durable):
    """In a process or a thread of its own: tells each file, or the first failure."""
    index = source = None
    try:
        source = os.open(archive, os.O_RDONLY | BINARY)
        for index in share:
            digest = write_entry(source, tree, entries[index], durable and not CAN_SYNC_LATER)
            tell(index, digest, os.lstat(os.path.join(tree, entries[index][0])).st_mtime_ns)
        # All are written by now: the disk is waited for once rather than file by file.
        if durable and CAN_SYNC_LATER:
            sync_all([os.path.join(tree, entries[index][0]) for index in share])
    except Fault as fault:
        tell(index, None, [None, fault.text[:500]])
    except OSError as error:
        tell(index, None, [error.errno, (error.strerror or "")[:500]])
    except SystemExit:
        raise
    except BaseException as error:
        tell(index, None, [None, "cannot be unpacked (%r)" % type(error).__name__])
    finally:
        if source is not None:
            os.close(source)


def fail(failure, entries):
    index, (number, text) = failure
    path = None if index is None else entries[index][0]
    if number is None:
        raise Fault(text, path)
    raise OSError(number, text, path)


def write_entry(source, tree, entry, synced=False):
    path, offset, packed, method, size, expected, executable = entry
    chunks = contents(method)(source, offset, packed)
    digest = hashlib.sha256()
    crc = done = 0
    # Read-only from the moment it is there: other environments will share it.
    mode = 0o555 if executable else 0o444
    target = os.open(os.path.join(tree, path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, mode)
    try:
        for chunk in chunks:
            done += len(chunk)
            if done > size:
                raise Fault("has more than the %d bytes declared" % size)
            crc = zlib.crc32(chunk, crc)
            digest.update(chunk)
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(target, rest) :]
        if synced:
            os.fsync(target)
    finally:
        os.close(target)
    if done != size:
        raise Fault("has %d bytes, not the %d declared" % (done, size))
    if crc != expected:
        raise Fault("is damaged: its CRC-32 is 0x%08x, not 0x%08x" % (crc, expected))
    return digest.hexdigest()


def contents(method):
    return {STORED: stored, ZSTANDARD: zstandard}.get(method, inflated)


def sync_all(paths):
    """Waits until all of it is on the disk, several at a time: those that wait together share a commit of the journal."""
    start_writing(paths)

    def sync(path):
        descriptor = os.open(path, os.O_RDONLY if CAN_SYNC_LATER else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    each_by_threads(paths, sync)


def read_at(source, count, offset):
    if hasattr(os, "pread"):
        return os.pread(source, count, offset)
    os.lseek(source, offset, os.SEEK_SET)  # no other thread has this descriptor
    return os.read(source, count)


def stored(source, offset, packed):
    end = offset + packed
    while offset < end:
        chunk = read_at(source, min(CHUNK, end - offset), offset)
        if not chunk:
            raise Fault("became shorter while it was read")
        offset += len(chunk)
        yield chunk


def inflated(source, offset, packed):
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)

    def more(given):
        chunk = inflater.decompress(given, CHUNK)
        return chunk, inflater.unconsumed_tail

    return decompressed(inflater, more, zlib.error, stored(source, offset, packed), packed)


def zstandard(source, offset, packed):
    try:
        from compression import zstd
    except ImportError:
        raise Fault("is compressed by Zstandard, which only Python 3.14 and later can read")
    frame = zstd.ZstdDecompressor()  # of one frame, as zipfile has it; it refuses a window of more than 128 MiB
    kept = [b""]

    def more(given):
        # It keeps by itself what it has not used, and takes no more before that is used up.
        chunk = frame.decompress(given if given is not kept else b"", CHUNK)
        return chunk, kept if not frame.eof and not frame.needs_input else b""

    return decompressed(frame, more, zstd.ZstdError, stored(source, offset, packed), packed)


def decompressed(inflater, more, error_type, chunks, packed):
    """`more(given)`: at most CHUNK bytes, and what is to be given next, if that is not to be the next chunk."""
    used, given = 0, b""
    try:
        while not inflater.eof:
            if not given:
                given = next(chunks, b"")
                used += len(given)
            is_last = not given
            chunk, given = more(given)
            if chunk:
                yield chunk
            elif is_last and not inflater.eof:
                raise Fault("its compressed data are damaged (unexpected end of file)")
    except error_type as error:
        raise Fault("its compressed data are damaged (%s)" % error)
    left = packed - used + len(inflater.unused_data)
    if left:
        raise Fault("its compressed data end %d bytes before they should" % left)
