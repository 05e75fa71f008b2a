"""The tables. `documents` and `disclosures` are the record, sealed under `case_keys`; `VIEWS` are what `rebuild` derives again.

One schema for SQLite and PostgreSQL; times are ms since the Unix epoch, UTC; digests are raw bytes. Text is compared
byte by byte on both, whatever the language of the PostgreSQL database is.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, text
from sqlalchemy import Text as AnyText

metadata = MetaData()
Big = BigInteger().with_variant(Integer, "sqlite")
Text = AnyText().with_variant(AnyText(collation="C"), "postgresql")
Name = String(64).with_variant(AnyText(collation="C"), "postgresql")

documents = Table(
    "documents",
    metadata,
    Column("position", Big, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("statement", LargeBinary(32), nullable=False, unique=True),
    Column("recorded_at", Big, nullable=False),
    Column("case_id", Name, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("signed", LargeBinary, nullable=False),
    Index("documents_of_case", "case_id", "position"),
    Index("documents_of_issuer", "issuer", "case_id"),
)
disclosures = Table(
    "disclosures",
    metadata,
    Column("position", Big, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    Column("key", Big),
)
"""`key`: the number of the key that `data` is sealed under; without one, it lies in the clear (`record/sealing.py`)."""
case_keys = Table(
    "case_keys",
    metadata,
    Column("number", Big, primary_key=True, autoincrement=False),
    Column("case_id", Name, nullable=False),
    Column("position", Big),
    Column("wrapped", LargeBinary, nullable=False),
    Index("case_keys_of_case", "case_id", "number"),
    Index("case_keys_of_document", "position"),
)
"""A key of a case, or of the document at `position` alone; `wrapped` is empty once it was destroyed."""
key_changes = Table(
    "key_changes",
    metadata,
    Column("number", Big, primary_key=True, autoincrement=False),
    Column("change", Big, nullable=False),
)
"""Which keys were destroyed, and by which change: a backup does so too (`record/backup_keys.py`)."""
erased = Table(
    "erased",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("position", Big, nullable=False),
    Column("case_id", Name, nullable=False),
    Column("field", Text, nullable=False),
    Column("by", Big),
    Column("stand_in", LargeBinary(16), nullable=False),
    Index("erased_of_document", "position", "field"),
    Index("erased_of_case", "case_id"),
    Index("erased_by", "by"),
)
"""Which fields of documents the decision at the position `by` erased; without one, the field was equal to one that was.
`stand_in` stands for contents that are gone, the same for equal ones of a slot."""
packs = Table(
    "packs",
    metadata,
    Column("label", Text, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("files", LargeBinary, nullable=False),
)
tiles = Table(
    "tiles",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("number", Big, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", Big, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
)
cases = Table(
    "cases",
    metadata,
    Column("id", Name, primary_key=True),
    Column("pack", Text, nullable=False),
    Column("procedure", Text, nullable=False),
    Column("opener", Text, nullable=False),
    Column("opened_at", Big, nullable=False),
    Column("closed_at", Big),
    Column("withdrawn", Boolean, nullable=False),
    Column("at", Big, nullable=False),
    Column("wakes_at", Big),
    Index("cases_of_opener", "opener", "opened_at"),
    Index("cases_waking", "wakes_at", "id"),
    Index("cases_of_pack", "pack", "closed_at"),
)
slots = Table(
    "slots",
    metadata,
    Column("case_id", Name, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("step", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("head", LargeBinary(32)),
    Column("head_at", Big),
)
waits = Table(
    "waits",
    metadata,
    Column("case_id", Name, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("slot", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("role", Text),
    Column("org", Text),
    Column("since", Big, nullable=False),
    Column("deadline", Big),
    Column("shown", LargeBinary, nullable=False),
    Index("waits_of_role", "role", "state", "deadline", "case_id"),
)
entries = Table(
    "entries",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("register", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("position", Big, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("value", LargeBinary),
    Column("amount", Text),
    Column("total", Text),
    Column("since", Big),
    Column("until", Big),
    Column("undone_at", Big),
    Index("entries_of_key", "register", "key", "position"),
    Index(
        "entries_undone",
        "undone_at",
        sqlite_where=text("undone_at IS NOT NULL"),
        postgresql_where=text("undone_at IS NOT NULL"),
    ),
)
links = Table(
    "links",
    metadata,
    Column("source_case", Name, primary_key=True),
    Column("source_step", Text, primary_key=True),
    Column("source_key", Text, primary_key=True),
    Column("target_case", Name, primary_key=True),
    Column("target_step", Text, primary_key=True),
    Column("target_key", Text, primary_key=True),
    Index("links_of_target", "target_case", "target_step", "target_key"),
)
mirrors = Table(
    "mirrors",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("target_case", Name, nullable=False),
    Column("position", Big, nullable=False),
    Column("at", Big, nullable=False),
    Column("step", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("head", LargeBinary),
    Index("mirrors_of_case", "target_case", "id"),
)
migrations = Table(
    "migrations",
    metadata,
    Column("case_id", Name, primary_key=True),
    Column("position", Big, primary_key=True, autoincrement=False),
    Column("at", Big, nullable=False),
    Column("origin", Text, nullable=False),
    Column("label", Text, nullable=False),
)
subjects = Table(
    "subjects",
    metadata,
    Column("type", Text, primary_key=True),
    Column("about", Text, primary_key=True),
    Column("position", Big, primary_key=True, autoincrement=False),
    Column("case_id", Name, nullable=False),
    Column("step", Text, nullable=False),
    Column("key", Text, nullable=False),
    Index("subjects_of_case", "case_id", "about"),
)
identifiers = Table(
    "identifiers",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("position", Big, primary_key=True, autoincrement=False),
)
reads = Table(
    "reads",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("at", Big, nullable=False),
    Column("reader", Text, nullable=False),
    Column("position", Big, nullable=False),
    Column("fields", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Index("reads_of_document", "position", "id"),
)
notices = Table(
    "notices",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("at", Big, nullable=False),
    Column("case_id", Name, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("slot", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("position", Big),
    Column("deadline", Big),
    Index("notices_of", "kind", "name", "id"),
)
consumers = Table(
    "consumers",
    metadata,
    Column("org", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("acked", Big, nullable=False),
    Column("at", Big, nullable=False),
)
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("roles", Text),
    Column("created_at", Big, nullable=False),
    Column("acked", Big, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("dead", Integer, nullable=False),
    Column("next_at", Big, nullable=False),
    Column("said", Text, nullable=False),
    Index("webhooks_of_org", "org", "id"),
    Index("webhooks_due", "state", "next_at"),
)
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("at", Big, nullable=False),
    Column("org", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("first", Big, nullable=False),
    Column("last", Big, nullable=False),
    Column("outcome", Text, nullable=False),
    Index("deliveries_of_channel", "org", "channel", "id"),
)
settings = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

VIEWS = (tiles, cases, slots, waits, entries, links, mirrors, migrations, subjects, identifiers, notices)
"""Derived tables: emptied and filled again by `rebuild`, byte for byte."""
