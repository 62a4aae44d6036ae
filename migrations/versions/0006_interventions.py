"""interventions"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "interventions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("layer_id", sa.Integer(), nullable=False),
        sa.Column("concept_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("extent", sa.String(length=16), nullable=False),
        sa.Column("pictures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["concept_id"], ["concepts.id"], name=op.f("fk_interventions_concept_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_interventions_job_id")),
        sa.ForeignKeyConstraint(["layer_id"], ["layers.id"], name=op.f("fk_interventions_layer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interventions")),
        sa.UniqueConstraint("job_id", "layer_id", name=op.f("uq_interventions_job_id_layer_id")),
    )
    with op.batch_alter_table("interventions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_interventions_layer_id_concept_id_id"), ["layer_id", "concept_id", "id"], unique=False
        )

    op.create_table(
        "edited_pictures",
        sa.Column("intervention_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("order", sa.String(length=16), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=True),
        sa.Column("column", sa.Integer(), nullable=True),
        sa.Column("pixels_before", sa.Integer(), nullable=True),
        sa.Column("pixels_after", sa.Integer(), nullable=True),
        sa.Column("before", sa.String(length=64), nullable=False),
        sa.Column("after", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["after"], ["artifacts.digest"], name=op.f("fk_edited_pictures_after")),
        sa.ForeignKeyConstraint(["before"], ["artifacts.digest"], name=op.f("fk_edited_pictures_before")),
        sa.ForeignKeyConstraint(
            ["intervention_id"], ["interventions.id"], name=op.f("fk_edited_pictures_intervention_id")
        ),
        sa.PrimaryKeyConstraint("intervention_id", "position", name=op.f("pk_edited_pictures")),
    )
    with op.batch_alter_table("edited_pictures", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_edited_pictures_digest"), ["digest"], unique=False)

    op.create_table(
        "insertion_contexts",
        sa.Column("intervention_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("size", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("concept_id", sa.Integer(), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("pictures", sa.Integer(), nullable=False),
        sa.Column("sufficient", sa.Boolean(), nullable=False),
        sa.Column("pixels", sa.Double(), nullable=False),
        sa.Column("change", sa.Double(), nullable=True),
        sa.Column("standard_error", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["concept_id"], ["concepts.id"], name=op.f("fk_insertion_contexts_concept_id")),
        sa.ForeignKeyConstraint(
            ["intervention_id"], ["interventions.id"], name=op.f("fk_insertion_contexts_intervention_id")
        ),
        sa.PrimaryKeyConstraint("intervention_id", "size", "concept_id", name=op.f("pk_insertion_contexts")),
    )
    op.create_table(
        "measured_units",
        sa.Column("intervention_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("unit", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("iou", sa.Double(), nullable=True),
        sa.Column("change", sa.Double(), nullable=True),
        sa.Column("change_low", sa.Double(), nullable=True),
        sa.Column("change_high", sa.Double(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("ranking_change", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["intervention_id"], ["interventions.id"], name=op.f("fk_measured_units_intervention_id")
        ),
        sa.PrimaryKeyConstraint("intervention_id", "unit", name=op.f("pk_measured_units")),
    )
    op.create_table(
        "pixel_changes",
        sa.Column("intervention_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("order", sa.String(length=16), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("concept_id", sa.Integer(), nullable=False),
        sa.Column("pictures", sa.Integer(), nullable=False),
        sa.Column("pixels_before", sa.BigInteger(), nullable=False),
        sa.Column("pixels_after", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.Double(), nullable=True),
        sa.Column("change_low", sa.Double(), nullable=True),
        sa.Column("change_high", sa.Double(), nullable=True),
        sa.Column("random_change", sa.Double(), nullable=True),
        sa.Column("random_low", sa.Double(), nullable=True),
        sa.Column("random_high", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["concept_id"], ["concepts.id"], name=op.f("fk_pixel_changes_concept_id")),
        sa.ForeignKeyConstraint(
            ["intervention_id"], ["interventions.id"], name=op.f("fk_pixel_changes_intervention_id")
        ),
        sa.PrimaryKeyConstraint("intervention_id", "position", name=op.f("pk_pixel_changes")),
    )
    with op.batch_alter_table("pixel_changes", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_pixel_changes_concept_id_intervention_id_position"),
            ["concept_id", "intervention_id", "position"],
            unique=False,
        )


def downgrade() -> None:
    with op.batch_alter_table("pixel_changes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pixel_changes_concept_id_intervention_id_position"))

    op.drop_table("pixel_changes")
    op.drop_table("measured_units")
    op.drop_table("insertion_contexts")
    with op.batch_alter_table("edited_pictures", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_edited_pictures_digest"))

    op.drop_table("edited_pictures")
    with op.batch_alter_table("interventions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_interventions_layer_id_concept_id_id"))

    op.drop_table("interventions")
