"""paintings"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "paintings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("edited", sa.String(length=64), nullable=True),
        sa.Column("unedited", sa.String(length=64), nullable=True),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["edited"], ["artifacts.digest"], name=op.f("fk_paintings_edited")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_paintings_model_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_paintings_team_id")),
        sa.ForeignKeyConstraint(["unedited"], ["artifacts.digest"], name=op.f("fk_paintings_unedited")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paintings")),
    )
    with op.batch_alter_table("paintings", schema=None) as batch_op:
        batch_op.create_index(
            "ix_paintings_active",
            ["state", "deadline_at"],
            unique=False,
            sqlite_where=sa.text("state IN ('queued', 'running')"),
            postgresql_where=sa.text("state IN ('queued', 'running')"),
        )
        batch_op.create_index(batch_op.f("ix_paintings_model_id_id"), ["model_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_paintings_team_id_id"), ["team_id", "id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("paintings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_paintings_team_id_id"))
        batch_op.drop_index(batch_op.f("ix_paintings_model_id_id"))
        batch_op.drop_index("ix_paintings_active")

    op.drop_table("paintings")
