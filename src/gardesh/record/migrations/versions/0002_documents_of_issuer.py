"""Which cases hold a document of an organisation, by an index."""

from alembic import op

from gardesh.record.online import make_index

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    make_index("documents_of_issuer", "documents (issuer, case_id)")


def downgrade() -> None:
    op.execute("DROP INDEX documents_of_issuer")
