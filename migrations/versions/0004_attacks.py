"""attacks, and top images by the image"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attacks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("target_class_id", sa.Integer(), nullable=True),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_attacks_job_id")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_attacks_model_id")),
        sa.ForeignKeyConstraint(["target_class_id"], ["classes.id"], name=op.f("fk_attacks_target_class_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attacks")),
    )
    with op.batch_alter_table("attacks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attacks_job_id"), ["job_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_attacks_model_id_target_class_id_id"), ["model_id", "target_class_id", "id"], unique=False
        )

    op.create_table(
        "attacked_images",
        sa.Column("attack_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("image", sa.String(length=1024), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("true_class_id", sa.Integer(), nullable=False),
        sa.Column("source_class_id", sa.Integer(), nullable=False),
        sa.Column("target_class_id", sa.Integer(), nullable=True),
        sa.Column("result_class_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("l2", sa.Double(), nullable=True),
        sa.Column("linf", sa.Double(), nullable=True),
        sa.Column("restored_by", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("transfers", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("original", sa.String(length=64), nullable=True),
        sa.Column("adversarial", sa.String(length=64), nullable=True),
        sa.Column("picture", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["adversarial"], ["artifacts.digest"], name=op.f("fk_attacked_images_adversarial")),
        sa.ForeignKeyConstraint(["attack_id"], ["attacks.id"], name=op.f("fk_attacked_images_attack_id")),
        sa.ForeignKeyConstraint(["original"], ["artifacts.digest"], name=op.f("fk_attacked_images_original")),
        sa.ForeignKeyConstraint(["picture"], ["artifacts.digest"], name=op.f("fk_attacked_images_picture")),
        sa.ForeignKeyConstraint(["result_class_id"], ["classes.id"], name=op.f("fk_attacked_images_result_class_id")),
        sa.ForeignKeyConstraint(["source_class_id"], ["classes.id"], name=op.f("fk_attacked_images_source_class_id")),
        sa.ForeignKeyConstraint(["target_class_id"], ["classes.id"], name=op.f("fk_attacked_images_target_class_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_attacked_images_team_id")),
        sa.ForeignKeyConstraint(["true_class_id"], ["classes.id"], name=op.f("fk_attacked_images_true_class_id")),
        sa.PrimaryKeyConstraint("attack_id", "position", name=op.f("pk_attacked_images")),
    )
    with op.batch_alter_table("attacked_images", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_attacked_images_attack_id_source_class_id_position"),
            ["attack_id", "source_class_id", "position"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_attacked_images_digest"), ["digest"], unique=False)

    op.create_table(
        "unit_shifts",
        sa.Column("attack_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("layer_id", sa.Integer(), nullable=False),
        sa.Column("unit", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mean_peak_change", sa.Double(), nullable=False),
        sa.Column("mean_peak_change_low", sa.Double(), nullable=True),
        sa.Column("mean_peak_change_high", sa.Double(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["attack_id"], ["attacks.id"], name=op.f("fk_unit_shifts_attack_id")),
        sa.ForeignKeyConstraint(["layer_id"], ["layers.id"], name=op.f("fk_unit_shifts_layer_id")),
        sa.PrimaryKeyConstraint("attack_id", "layer_id", "unit", name=op.f("pk_unit_shifts")),
    )
    with op.batch_alter_table("unit_shifts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_unit_shifts_layer_id_unit_attack_id"), ["layer_id", "unit", "attack_id"], unique=False
        )

    op.create_table(
        "top_images",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("unit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("peak", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_top_images_unit_id")),
        sa.PrimaryKeyConstraint("digest", "unit_id", name=op.f("pk_top_images")),
    )
    _find_top_images()


def _find_top_images() -> None:
    """Make what older units list searchable by the image."""
    connection = op.get_bind()
    units = sa.table("units", sa.column("id", sa.BigInteger), sa.column("top_images", sa.JSON))
    names = ("digest", "unit_id", "rank", "peak")
    top_images = sa.table("top_images", *(sa.column(name) for name in names))
    last = 0
    while found := connection.execute(sa.select(units).where(units.c.id > last).order_by(units.c.id).limit(1000)).all():
        rows = {
            (top["digest"], unit): {"digest": top["digest"], "unit_id": unit, "rank": rank, "peak": top["peak"]}
            for unit, listed in found
            for rank, top in reversed([*enumerate(listed, start=1)])
        }
        if rows:
            connection.execute(sa.insert(top_images), list(rows.values()))
        last = found[-1].id


def downgrade() -> None:
    op.drop_table("top_images")
    with op.batch_alter_table("unit_shifts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_unit_shifts_layer_id_unit_attack_id"))

    op.drop_table("unit_shifts")
    with op.batch_alter_table("attacked_images", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attacked_images_digest"))
        batch_op.drop_index(batch_op.f("ix_attacked_images_attack_id_source_class_id_position"))

    op.drop_table("attacked_images")
    with op.batch_alter_table("attacks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attacks_model_id_target_class_id_id"))
        batch_op.drop_index(batch_op.f("ix_attacks_job_id"))

    op.drop_table("attacks")
