"""Who is told of what: notices, who has taken them, where they are sent, and what was sent.

Notices are a view: of documents that were accepted before, `gardesh rebuild` makes them.
"""

from alembic import op

from gardesh.record import schema
from gardesh.record.online import make_index

revision = "0003"
down_revision = "0002"
TABLES = (schema.notices, schema.consumers, schema.webhooks, schema.deliveries)


def upgrade() -> None:
    schema.metadata.create_all(op.get_bind(), tables=list(TABLES))
    make_index("subjects_of_case", "subjects (case_id, about)")


def downgrade() -> None:
    op.execute("DROP INDEX subjects_of_case")
    schema.metadata.drop_all(op.get_bind(), tables=list(TABLES))
