"""Appends the records of a log's `trades` topic to a new SQLite file, 10,000 a blob, and prints how many and the seconds.

Reading the log and cutting the blobs is not counted.
"""

import sqlite3
import struct
import sys
import time

PER_BLOB = 10_000


def records(data):
    """The encoded records of one batch."""
    head, at, end = struct.Struct("<qiiI").unpack_from, 0, len(data)
    while at < end:
        _, key, value, headers = head(data, at)
        size = 20 + max(0, key) + max(0, value) + headers
        yield data[at:at + size]
        at += size


def blobs(log):
    database = sqlite3.connect(f"file:{log}/log.sqlite?mode=ro", uri=True)
    waiting = []
    for (data,) in database.execute(
            "SELECT data FROM batches JOIN topics ON id = topic WHERE name = 'trades' ORDER BY partition, base"):
        waiting += records(data)
        while len(waiting) >= PER_BLOB:
            yield PER_BLOB, b"".join(waiting[:PER_BLOB])
            del waiting[:PER_BLOB]
    if waiting:
        yield len(waiting), b"".join(waiting)


def main():
    finished = list(blobs(sys.argv[1]))
    begun = time.perf_counter()
    database = sqlite3.connect(sys.argv[2], isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("CREATE TABLE batches (base INTEGER PRIMARY KEY, next INTEGER NOT NULL, data BLOB NOT NULL)")
    base = 0
    for count, data in finished:
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO batches VALUES (?, ?, ?)", (base, base + count, data))
        database.execute("COMMIT")
        base += count
    database.close()
    print(base, time.perf_counter() - begun)


main()
