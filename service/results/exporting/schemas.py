"""The wire format of requests for exports."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from service.api import Schema
from service.results.exporting.formats import FORMATS
from service.results.exporting.kinds import KINDS
from service.results.schemas import NAME

HTML, SAFETENSORS = "html", "safetensors"
MOST_PRUNED = 50
"""The most important units of a class, whose ranks are kept."""


class ExportQuerySchema(Schema):
    """What is exported, and as what."""

    format = fields.String(
        required=True,
        validate=validate.OneOf([*FORMATS, HTML, SAFETENSORS]),
        metadata={
            "description": "`html` is a report that needs no network; `safetensors`, of an ablation, the network's "
            "weights without the units that matter most for a class; the others are rows."
        },
    )
    rows = fields.String(
        load_default=None,
        validate=validate.OneOf(list(dict.fromkeys(name for kind in KINDS.values() for name in kind.rows))),
        metadata={
            "description": "Of a dissection: `labels`, the default: each unit with each concept that is kept of it. "
            "`units`: each unit with its label. `matrix`: each unit with every concept and their IoU. Of an ablation: "
            "`effects`, the default: each class with each unit whose effect on it is kept. `units`: each unit. "
            "`classes`: each class. `curves`: each class, order and size of the sets removed. `matrix`: each unit "
            "with every class. Of an attack: `images`, the default: each target with each image that it was tried on. "
            "`units`: each target with each unit that it moved. `targets`: each target. `groups`: each target with "
            "each group of units. Of an intervention: `changes`, the default: each set of units with each concept. "
            "`units`: each unit alone. `contexts`: what one cell brings by what it shows. `pictures`: those kept."
        },
    )
    layer = fields.String(load_default=None, validate=NAME, metadata={"description": "Only this layer."})
    class_name = fields.String(
        data_key="class",
        load_default=None,
        validate=NAME,
        metadata={"description": "With `safetensors`: the class whose units are taken out."},
    )
    n = fields.Integer(
        load_default=None,
        validate=validate.Range(1, MOST_PRUNED),
        metadata={"description": "With `safetensors`: how many of its most important units."},
    )

    @ma.validates_schema
    def check_rows(self, values: dict[str, Any], **_: Any) -> None:
        """Refuse rows of what has none."""
        if values.get("format") in (HTML, SAFETENSORS) and values.get("rows") is not None:
            what = "a report has" if values["format"] == HTML else "weights have"
            raise ma.ValidationError(f"{what} no rows to choose from; leave it out", "rows")

    @ma.validates_schema
    def check_units(self, values: dict[str, Any], **_: Any) -> None:
        """Demand for weights which units are taken out, and for nothing else."""
        wanted = values.get("format") == SAFETENSORS
        problem = "say it, as in class=beach&n=4" if wanted else f"only format={SAFETENSORS} takes it; leave it out"
        faults = [name for name in ("class_name", "n") if (values.get(name) is not None) != wanted]
        if faults:
            raise ma.ValidationError({{"class_name": "class"}.get(name, name): [problem] for name in faults})
