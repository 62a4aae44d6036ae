"""scores and controls of labels, imported results, segmenters"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCORES = (
    *("iou_low", "iou_high", "average_precision", "auroc"),
    *("equal_error_threshold", "balanced_accuracy", "p_value", "p_value_corrected"),
)
FROM_OURS_ALONE = {
    "layer_dissections": {"grid": sa.Integer(), "samples": sa.BigInteger(), "iou_artifact": sa.String(64)},
    "units": {"threshold": sa.Double(), "active": sa.BigInteger(), "peak": sa.Double()},
}
"""Columns that imported results leave open."""
CURRENT = "uq_layer_dissections_current"
IS_CURRENT = {"sqlite_where": sa.text("current = 1"), "postgresql_where": sa.text("current")}


def upgrade() -> None:
    with op.batch_alter_table("models") as batch:
        batch.add_column(sa.Column("concepts", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("layer_dissections") as batch:
        batch.add_column(sa.Column("method", sa.String(32), nullable=False, server_default="dissection"))
        batch.drop_index(CURRENT)
        batch.create_index(CURRENT, ["layer_id", "method"], unique=True, **IS_CURRENT)
    with op.batch_alter_table("units") as batch:
        batch.add_column(sa.Column("similarity", sa.Double(), nullable=True))
        batch.add_column(sa.Column("histogram", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("unit_labels") as batch:
        for name in SCORES:
            batch.add_column(sa.Column(name, sa.Double(), nullable=True))
    for table, columns in FROM_OURS_ALONE.items():
        with op.batch_alter_table(table) as batch:
            for name, kind in columns.items():
                batch.alter_column(name, existing_type=kind, nullable=True)


def downgrade() -> None:
    """Imported results go, for the older tables cannot hold them."""
    imported = "(SELECT id FROM layer_dissections WHERE method <> 'dissection')"
    op.execute(f"DELETE FROM unit_labels WHERE dissection_id IN {imported}")  # noqa: S608
    op.execute(f"DELETE FROM units WHERE dissection_id IN {imported}")  # noqa: S608
    op.execute("DELETE FROM layer_dissections WHERE method <> 'dissection'")
    for table, columns in FROM_OURS_ALONE.items():
        with op.batch_alter_table(table) as batch:
            for name, kind in columns.items():
                batch.alter_column(name, existing_type=kind, nullable=False)
    with op.batch_alter_table("unit_labels") as batch:
        for name in SCORES:
            batch.drop_column(name)
    with op.batch_alter_table("units") as batch:
        batch.drop_column("histogram")
        batch.drop_column("similarity")
    with op.batch_alter_table("layer_dissections") as batch:
        batch.drop_index(CURRENT)
        batch.drop_column("method")
        batch.create_index(CURRENT, ["layer_id"], unique=True, **IS_CURRENT)
    with op.batch_alter_table("models") as batch:
        batch.drop_column("concepts")
