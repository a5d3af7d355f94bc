"""The values of the records in one batch of the log."""

import struct


def values(data):
    """The records' values of one batch; ticks have none."""
    head, at, end = struct.Struct("<qiiI").unpack_from, 0, len(data)
    while at < end:
        _, key, value, headers = head(data, at)
        at += 20 + (key if key > 0 else 0)
        if value >= 0:
            yield data[at:at + value]
            at += value
        at += headers
