"""Disclosures are sealed: keys of cases, and which key each is sealed under. What is mirrored holds no contents.

What lies in the clear is sealed once a node is opened with its keys (`record/sealing_up.py`).
"""

import msgspec
import sqlalchemy as sa
from alembic import op

from gardesh.record import schema

revision = "0005"
down_revision = "0004"
TABLES = (schema.case_keys, schema.key_changes)
AT_ONCE = 1_000


def upgrade() -> None:
    bind = op.get_bind()
    schema.metadata.create_all(bind, tables=list(TABLES))
    if "key" not in {c["name"] for c in sa.inspect(bind).get_columns("disclosures")}:
        op.add_column("disclosures", sa.Column("key", schema.Big))
    mirrors, last = schema.mirrors, -1
    asked = sa.select(mirrors.c.id, mirrors.c.head).where(mirrors.c.head.is_not(None)).order_by(mirrors.c.id)
    changed = mirrors.update().where(mirrors.c.id == sa.bindparam("of")).values(head=sa.bindparam("made"))
    while rows := bind.execute(asked.where(mirrors.c.id > last).limit(AT_ONCE)).fetchall():
        bind.execute(changed, [{"of": id_, "made": without_contents(bytes(head))} for id_, head in rows])
        last = rows[-1][0]


def without_contents(head: bytes) -> bytes:
    """The other members stay as they were written, byte by byte."""
    members = msgspec.json.decode(head, type=dict[str, msgspec.Raw])
    members.pop("subject", None)
    return msgspec.json.encode(members)


def downgrade() -> None:
    schema.metadata.drop_all(op.get_bind(), tables=list(TABLES))
    op.drop_column("disclosures", "key")
