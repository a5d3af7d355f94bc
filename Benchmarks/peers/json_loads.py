"""Reads the trades of a log and decodes every value with json.loads."""

import json
import sqlite3
import sys

from log_values import values


def main():
    database = sqlite3.connect(f"file:{sys.argv[1]}/log.sqlite?mode=ro", uri=True)
    for (data,) in database.execute(
            "SELECT data FROM batches JOIN topics ON id = topic WHERE name = 'trades' ORDER BY partition, base"):
        for value in values(data):
            json.loads(value)


main()
