"""The depth map that was sent with the picture of a job."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    op.add_column("jobs", sa.Column("depth", sa.String(128), nullable=True))


def downgrade() -> None:
    """Back to the one before."""
    op.drop_column("jobs", "depth")
