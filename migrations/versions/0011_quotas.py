"""quotas"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quotas",
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("queued_jobs", sa.Integer(), nullable=True),
        sa.Column("worker_seconds", sa.Double(), nullable=True),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_quotas_team_id")),
        sa.PrimaryKeyConstraint("team_id", name=op.f("pk_quotas")),
    )
    op.create_table(
        "worker_times",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_worker_times_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_times")),
    )
    with op.batch_alter_table("worker_times", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_worker_times_team_id_at"), ["team_id", "at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("worker_times", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_worker_times_team_id_at"))

    op.drop_table("worker_times")
    op.drop_table("quotas")
