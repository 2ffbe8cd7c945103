#!/usr/bin/env python3
"""verify_many.py VERIFY_STREAM_V2

Asks Xen's own verify-stream-v2 about many streams without starting it for each: imports its module, then reads
streams from standard input, each with its length before it (u32, big-endian), and answers each by one byte, `a`
(accepted) or `r` (refused).
"""
import io
import os
import struct
import sys

# .../usr/lib/xen-4.17/bin/verify-stream-v2 has its modules in .../usr/lib/xen-4.17/lib/python.
sys.path.insert(0, os.path.join(os.path.dirname(sys.argv[1]), "..", "lib", "python"))

from xen.migration.libxc import VerifyLibxc
from xen.migration.libxl import VerifyLibxl
from xen.migration.verify import RecordError, StreamError
from xen.migration.xl import HEADER_FORMAT, MAGIC

LIBXL_IDENT = b"LibxlFmt"


def skip_xl_header(stream):
    """The same as in verify-stream-v2, whose main program cannot be imported."""
    stream.read(len(MAGIC))
    fields = stream.read(struct.calcsize(HEADER_FORMAT))
    length = struct.unpack(HEADER_FORMAT, fields)[3]
    if len(stream.read(length)) != length:
        raise IOError("Stream truncated")


def verify(data):
    stream = io.BytesIO(data)
    if data.startswith(MAGIC.encode()):
        skip_xl_header(stream)
    libxl = data[stream.tell():].startswith(LIBXL_IDENT)
    verifier = VerifyLibxl if libxl else VerifyLibxc
    verifier(lambda text: None, stream.read).verify()


def answer(data):
    try:
        verify(data)
        return b"a"
    except (IOError, StreamError, RecordError, DeprecationWarning, struct.error):
        return b"r"


while True:
    head = sys.stdin.buffer.read(4)
    if len(head) < 4:
        break
    sys.stdout.buffer.write(answer(sys.stdin.buffer.read(struct.unpack(">I", head)[0])))
    sys.stdout.buffer.flush()
