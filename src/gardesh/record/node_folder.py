"""The names in a node's folder. A folder is a node once it has `RECORD` or `URL`: what makes one writes that last."""

RECORD = "node.sqlite"
"""The record, when it is an SQLite file."""
URL = "store-url"
"""Where the record is, when it is in a PostgreSQL database: for its owner alone, there may be a password in it."""
KEYS, BLOBS = "keys", "blobs"
