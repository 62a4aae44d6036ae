"""ablated layers"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "layer_ablations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("layer_id", sa.Integer(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_layer_ablations_job_id")),
        sa.ForeignKeyConstraint(["layer_id"], ["layers.id"], name=op.f("fk_layer_ablations_layer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_layer_ablations")),
        sa.UniqueConstraint("job_id", name=op.f("uq_layer_ablations_job_id")),
    )
    with op.batch_alter_table("layer_ablations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_layer_ablations_layer_id"), ["layer_id"], unique=False)
        batch_op.create_index(
            "uq_layer_ablations_current",
            ["layer_id"],
            unique=True,
            sqlite_where=sa.text("current = 1"),
            postgresql_where=sa.text("current"),
        )

    op.create_table(
        "ablated_classes",
        sa.Column("ablation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("recall", sa.Double(), nullable=False),
        sa.Column("true_negative_rate", sa.Double(), nullable=False),
        sa.Column("balanced_accuracy", sa.Double(), nullable=False),
        sa.Column("auroc", sa.Double(), nullable=False),
        sa.Column("important_units", sa.Integer(), nullable=False),
        sa.Column("curves", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["ablation_id"], ["layer_ablations.id"], name=op.f("fk_ablated_classes_ablation_id")),
        sa.ForeignKeyConstraint(["class_id"], ["classes.id"], name=op.f("fk_ablated_classes_class_id")),
        sa.PrimaryKeyConstraint("ablation_id", "class_id", name=op.f("pk_ablated_classes")),
    )
    with op.batch_alter_table("ablated_classes", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_ablated_classes_class_id_ablation_id"), ["class_id", "ablation_id"], unique=False
        )

    op.create_table(
        "ablated_units",
        sa.Column("ablation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("unit", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("importance", sa.Integer(), nullable=False),
        sa.Column("accuracy_change", sa.Double(), nullable=False),
        sa.Column("accuracy_change_low", sa.Double(), nullable=True),
        sa.Column("accuracy_change_high", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["ablation_id"], ["layer_ablations.id"], name=op.f("fk_ablated_units_ablation_id")),
        sa.PrimaryKeyConstraint("ablation_id", "unit", name=op.f("pk_ablated_units")),
    )
    op.create_table(
        "unit_effects",
        sa.Column("ablation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("unit", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("class_rank", sa.Integer(), nullable=False),
        sa.Column("ranking_change", sa.Double(), nullable=False),
        sa.Column("ranking_log_probability_change", sa.Double(), nullable=False),
        sa.Column("recall_change", sa.Double(), nullable=False),
        sa.Column("recall_change_low", sa.Double(), nullable=True),
        sa.Column("recall_change_high", sa.Double(), nullable=True),
        sa.Column("true_negative_rate_change", sa.Double(), nullable=False),
        sa.Column("true_negative_rate_change_low", sa.Double(), nullable=True),
        sa.Column("true_negative_rate_change_high", sa.Double(), nullable=True),
        sa.Column("accuracy_change", sa.Double(), nullable=False),
        sa.Column("accuracy_change_low", sa.Double(), nullable=True),
        sa.Column("accuracy_change_high", sa.Double(), nullable=True),
        sa.Column("uncertain", sa.Boolean(), nullable=False),
        sa.Column("log_probability_change", sa.Double(), nullable=False),
        sa.Column("p_value", sa.Double(), nullable=False),
        sa.Column("p_value_corrected", sa.Double(), nullable=False),
        sa.Column("coactivation", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["ablation_id"], ["layer_ablations.id"], name=op.f("fk_unit_effects_ablation_id")),
        sa.ForeignKeyConstraint(["class_id"], ["classes.id"], name=op.f("fk_unit_effects_class_id")),
        sa.PrimaryKeyConstraint("ablation_id", "class_id", "unit", name=op.f("pk_unit_effects")),
    )
    with op.batch_alter_table("unit_effects", schema=None) as batch_op:
        batch_op.create_index(
            "ix_unit_effects_search",
            ["class_id", "rank", "unit"],
            unique=False,
            sqlite_where=sa.text("current = 1"),
            postgresql_where=sa.text("current"),
        )

    with op.batch_alter_table("layers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tail_seconds", sa.Double(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("layers", schema=None) as batch_op:
        batch_op.drop_column("tail_seconds")

    with op.batch_alter_table("unit_effects", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_unit_effects_search", sqlite_where=sa.text("current = 1"), postgresql_where=sa.text("current")
        )

    op.drop_table("unit_effects")
    op.drop_table("ablated_units")
    with op.batch_alter_table("ablated_classes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ablated_classes_class_id_ablation_id"))

    op.drop_table("ablated_classes")
    with op.batch_alter_table("layer_ablations", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_layer_ablations_current", sqlite_where=sa.text("current = 1"), postgresql_where=sa.text("current")
        )
        batch_op.drop_index(batch_op.f("ix_layer_ablations_layer_id"))

    op.drop_table("layer_ablations")
