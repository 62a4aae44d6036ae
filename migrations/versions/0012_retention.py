"""retention"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "duties",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_duties")),
    )
    # not NOT NULL: SQLite would make the table anew, to which others refer
    op.add_column("artifacts", sa.Column("touched_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE artifacts SET touched_at = created_at")


def downgrade() -> None:
    op.drop_column("artifacts", "touched_at")
    op.drop_table("duties")
