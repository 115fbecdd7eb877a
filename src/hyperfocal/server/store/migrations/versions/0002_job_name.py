"""What the sender calls a job's picture, for the name of its result."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    op.add_column("jobs", sa.Column("name", sa.String(255), nullable=False, server_default=""))


def downgrade() -> None:
    """Back to the one before."""
    op.drop_column("jobs", "name")
