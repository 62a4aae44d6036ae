"""Unit Atlas from Python: find out what each hidden unit of a vision network does."""

from unitatlas.attacking import AttackedImage, Image
from unitatlas.client import Client
from unitatlas.comparing import Diff, UnitChange, Verdict
from unitatlas.errors import JobFailed, Problem, ServiceUnreachable, UploadError
from unitatlas.explaining import Explanation
from unitatlas.intervening import PixelChange
from unitatlas.jobs import Job
from unitatlas.painting import ConceptChange, Painting, stroke
from unitatlas.team import Collection, Member, Quotas, Share
from unitatlas.types import (
    Annotation,
    Class,
    Concept,
    Dataset,
    Effect,
    Estimate,
    Label,
    Layer,
    Match,
    Measured,
    Model,
    RankedLabel,
    Shift,
    Unit,
    UnitDetails,
)
from unitatlas.webhooks import Delivery, Webhook

__all__ = [
    "Annotation",
    "AttackedImage",
    "Class",
    "Client",
    "Collection",
    "Concept",
    "ConceptChange",
    "Dataset",
    "Delivery",
    "Diff",
    "Effect",
    "Estimate",
    "Explanation",
    "Image",
    "Job",
    "JobFailed",
    "Label",
    "Layer",
    "Match",
    "Measured",
    "Member",
    "Model",
    "Painting",
    "PixelChange",
    "Problem",
    "Quotas",
    "RankedLabel",
    "ServiceUnreachable",
    "Share",
    "Shift",
    "Unit",
    "UnitChange",
    "UnitDetails",
    "UploadError",
    "Verdict",
    "Webhook",
    "stroke",
]
