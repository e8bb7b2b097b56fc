# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Results as lines of JSON, written as they come. A run that is begun again skips what it has."""
import json
import os

KEY = ("what", "group", "seed", "number", "asked")


def key_of(record):
    return tuple(record.get(k) for k in KEY)


def read(path):
    """The records of a file; a last line that was cut off is left out."""
    records = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    records.append(json.loads(line))
    return records


def select(records, what, **fields):
    return [r for r in records if r["what"] == what and all(r.get(k) == v for k, v in fields.items())]


class Journal:
    """\\throws ValueError if the file has results of other settings"""

    def __init__(self, path, settings):
        self.path = path
        self.records = read(path)
        settings = json.loads(json.dumps(settings))  # as they are read
        if self.records:
            before = self.records[0].get("settings")
            if before != settings:
                other = sorted(k for k in {*(before or {}), *settings} if (before or {}).get(k) != settings.get(k))
                raise ValueError(f"{path} has results of another {', '.join(other)}; choose another --output")
            with open(path, "w", encoding="utf-8") as file:  # without a line that was cut off
                file.writelines(json.dumps(r) + "\n" for r in self.records)
        else:
            self.add({"what": "settings", "settings": settings})

    def add(self, record):
        self.records.append(record)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        return record

    def once(self, key, make):
        """The record with this key, made if it is not there. make() gives the rest of it."""
        for r in self.records:
            if key_of(r) == key_of(key):
                return r
        return self.add({**key, **make()})

    def all(self, what, **fields):
        return select(self.records, what, **fields)
