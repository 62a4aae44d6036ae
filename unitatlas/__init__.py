"""Unit Atlas from Python: find out what each hidden unit of a vision network does."""

from unitatlas.client import Client
from unitatlas.comparing import Diff, UnitChange, Verdict
from unitatlas.errors import JobFailed, Problem, ServiceUnreachable, UploadError
from unitatlas.explaining import Explanation
from unitatlas.jobs import Job
from unitatlas.types import (
    Class,
    Concept,
    Dataset,
    Effect,
    Estimate,
    Label,
    Layer,
    Match,
    Model,
    RankedLabel,
    Unit,
    UnitDetails,
)

__all__ = [
    "Class",
    "Client",
    "Concept",
    "Dataset",
    "Diff",
    "Effect",
    "Estimate",
    "Explanation",
    "Job",
    "JobFailed",
    "Label",
    "Layer",
    "Match",
    "Model",
    "Problem",
    "RankedLabel",
    "ServiceUnreachable",
    "Unit",
    "UnitChange",
    "UnitDetails",
    "UploadError",
    "Verdict",
]
