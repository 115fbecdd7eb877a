"""What tells this database from others, and the storage that holds the input of a job."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    identity = op.create_table(
        "identity",
        sa.Column("id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity"),
    )
    op.bulk_insert(identity, [{"id": secrets.token_hex(16)}])
    op.add_column("jobs", sa.Column("storage", sa.String(32), nullable=False, server_default=""))


def downgrade() -> None:
    """Back to the one before."""
    op.drop_column("jobs", "storage")
    op.drop_table("identity")
