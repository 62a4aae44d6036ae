"""What jobs took so far, from which estimates start."""

import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.jobs.queries import ATTACKS, EDITS, PAIRS
from service.jobs.tables import Job, Shard, Stage


def seconds_per_image(session: Session, team_id: uuid.UUID, model_id: uuid.UUID) -> float | None:
    """Seconds an image took in the team's shards with this model so far, None before the first."""
    seconds, images = session.execute(
        sa.select(sa.func.sum(Shard.seconds), sa.func.sum(Shard.weight))
        .join(Stage, sa.and_(Stage.job_id == Shard.job_id, Stage.position == Shard.stage_position))
        .join(Job, Job.id == Shard.job_id)
        .where(Job.team_id == team_id, Job.model_id == model_id, Stage.unit == "images", Shard.seconds.is_not(None))
    ).one()
    return seconds / images if seconds is not None and images else None


def seconds_per_pair(session: Session, team_id: uuid.UUID, model_id: uuid.UUID, layer: str) -> float | None:
    """Seconds an image took for each set of units removed from the layer so far, None before the first ablation."""
    seconds, pairs = session.execute(
        sa.select(sa.func.sum(Shard.seconds), sa.func.sum(Shard.weight))
        .join(Stage, sa.and_(Stage.job_id == Shard.job_id, Stage.position == Shard.stage_position))
        .join(Job, Job.id == Shard.job_id)
        .where(Job.team_id == team_id, Job.model_id == model_id, Job.kind == "ablation")
        .where(Job.params["layer"].as_string() == layer, Stage.unit == PAIRS, Shard.seconds.is_not(None))
    ).one()
    return seconds / pairs if seconds is not None and pairs else None


def seconds_per_edit(session: Session, team_id: uuid.UUID, model_id: uuid.UUID) -> float | None:
    """Seconds that an edited picture took in the team's interventions with this model, None before the first."""
    seconds, edits = session.execute(
        sa.select(sa.func.sum(Shard.seconds), sa.func.sum(Shard.weight))
        .join(Stage, sa.and_(Stage.job_id == Shard.job_id, Stage.position == Shard.stage_position))
        .join(Job, Job.id == Shard.job_id)
        .where(Job.team_id == team_id, Job.model_id == model_id, Job.kind == "intervention")
        .where(Stage.unit == EDITS, Shard.seconds.is_not(None))
    ).one()
    return seconds / edits if seconds is not None and edits else None


def seconds_per_attack(
    session: Session, team_id: uuid.UUID, model_id: uuid.UUID, method: str, settings: Mapping[str, Any]
) -> float | None:
    """Seconds that attacks of the same settings took an image so far, None before the first."""
    statement = (
        sa.select(Job.params, sa.func.sum(Shard.seconds), sa.func.sum(Shard.weight))
        .join(Stage, sa.and_(Stage.job_id == Shard.job_id, Stage.position == Shard.stage_position))
        .join(Job, Job.id == Shard.job_id)
        .where(Job.team_id == team_id, Job.model_id == model_id, Job.kind == "attack")
        .where(Stage.unit == ATTACKS, Shard.seconds.is_not(None))
        .group_by(Job.id)
    )
    same = [
        (seconds, weight)
        for params, seconds, weight in session.execute(statement)
        if params["method"] == method and params["settings"] == settings
    ]
    return sum(seconds for seconds, _ in same) / sum(weight for _, weight in same) if same else None
