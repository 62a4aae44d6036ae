"""The kinds of job that a worker knows."""

from workers.jobs.ablation.kind import Ablation
from workers.jobs.attack.kind import Attack
from workers.jobs.dissection.kind import Dissection
from workers.jobs.imports.kind import Import
from workers.jobs.intervention.kind import Intervention
from workers.jobs.kind import JobKind
from workers.jobs.registration import Registration

KINDS: dict[str, JobKind] = {
    kind.name: kind for kind in (Ablation(), Attack(), Dissection(), Import(), Intervention(), Registration())
}
