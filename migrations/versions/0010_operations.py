"""operations"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tallies")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("request_id", sa.String(length=64), nullable=True))

    op.execute("DELETE FROM workers")  # each tells of itself anew within seconds
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("shards", sa.JSON(), nullable=False))
        batch_op.add_column(sa.Column("gpu_used_bytes", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("gpu_total_bytes", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.drop_column("gpu_total_bytes")
        batch_op.drop_column("gpu_used_bytes")
        batch_op.drop_column("shards")

    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("request_id")

    op.drop_table("tallies")
