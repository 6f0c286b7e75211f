"""Runs a command as an old container runtime does: system calls that it does not know, and namespaces, are refused.

    python3 old_seccomp.py <command> [argument ...]
"""
import ctypes
import os
import struct
import sys

# x86_64: unshare, setns, mount, faccessat2, mount_setattr, close_range, openat2
REFUSED = (272, 308, 165, 439, 442, 436, 437)
LOAD, EQUAL, RETURN, ALLOW, REFUSE = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050001  # EPERM

program = [(LOAD, 0, 0, 0)]
for index, number in enumerate(REFUSED):
    program.append((EQUAL, len(REFUSED) - index, 0, number))
program += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, header, 0, 0):  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP
    sys.exit("seccomp: %s" % os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[1], sys.argv[1:])
