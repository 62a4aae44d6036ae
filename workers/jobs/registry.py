"""The kinds of job that a worker knows."""

from workers.jobs.dissection.kind import Dissection
from workers.jobs.imports.kind import Import
from workers.jobs.kind import JobKind
from workers.jobs.registration import Registration

KINDS: dict[str, JobKind] = {kind.name: kind for kind in (Dissection(), Import(), Registration())}
