#!/usr/bin/env python3
"""trim_stream.py [xl|libxl|libxc] <SAVED >SMALL

Makes a small stream of a saved domain: every record but PAGE_DATA stays as it is; of the first PAGE_DATA the first
two entries stay, the others go.  The argument is the outermost layer to keep (xl unless given).
"""
import struct
import sys

PAGE = 4096
KEPT_ENTRIES = 2
LIBXC_CONTEXT = 1
PAGE_DATA = 1
END = 0


class Stream:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, length):
        part = self.data[self.at:self.at + length]
        assert len(part) == length, "truncated at byte %d" % self.at
        self.at += length
        return part

    def record(self):
        head = self.take(8)
        kind, length = struct.unpack("<II", head)
        return kind, head + self.take((length + 7) // 8 * 8)


def has_data(entry):
    return entry >> 60 not in (0xd, 0xe, 0xf)


def trim_pages(record):
    count, = struct.unpack_from("<I", record, 8)
    entries = struct.unpack_from("<%dQ" % count, record, 16)[:KEPT_ENTRIES]
    data = PAGE * sum(map(has_data, entries))
    pages = record[16 + 8 * count:][:data]
    body = struct.pack("<II%dQ" % len(entries), len(entries), 0, *entries) + pages
    return struct.pack("<II", PAGE_DATA, len(body)) + body


def libxc(stream):
    out = stream.take(40)
    pages_seen = False
    while True:
        kind, record = stream.record()
        if kind != PAGE_DATA:
            out += record
        elif not pages_seen:
            out += trim_pages(record)
            pages_seen = True
        if kind == END:
            return out


def libxl(stream):
    """The libxl stream, and the libxc stream in it."""
    out, inner = stream.take(16), b""
    while True:
        kind, record = stream.record()
        out += record
        if kind == LIBXC_CONTEXT:
            inner = libxc(stream)
            out += inner
        if kind == END:
            return out, inner


def xl(stream):
    out = stream.take(48)
    return out + stream.take(struct.unpack_from("<I", out, 44)[0])


stream = Stream(sys.stdin.buffer.read())
header = xl(stream)
middle, inner = libxl(stream)
small = {"xl": header + middle, "libxl": middle, "libxc": inner}
sys.stdout.buffer.write(small[(sys.argv[1:] or ["xl"])[0]])
