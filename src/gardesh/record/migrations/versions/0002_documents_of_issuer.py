"""Which cases hold a document of an organisation, by an index."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("CREATE INDEX IF NOT EXISTS documents_of_issuer ON documents (issuer, case_id)")


def downgrade() -> None:
    op.execute("DROP INDEX documents_of_issuer")
