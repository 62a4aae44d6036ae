"""`python -m service quotas`."""

from typing import Any

import click

from service.access.queries import find_team, record
from service.quotas.queries import get_allowed, list_quotas, set_quota
from service.settings import Settings
from service.shell import COMMAND_LINE, reading_shell, writing_shell


class Limit(click.ParamType[float]):
    """A number, or `default`, which is read as -1."""

    name = "number|default"

    def __init__(self, number: click.ParamType[Any]) -> None:
        self.number = number

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the text; refuse what is neither."""
        return -1 if value == "default" else float(self.number.convert(value, param, ctx))


COUNT = Limit(click.IntRange(0, 2**62))


@click.group()
def quotas() -> None:
    """See and set what each team may use; 0 is without a limit."""


@quotas.command("list")
def list_all() -> None:
    """List what each team may use; `*` marks what is its own."""
    settings = Settings.from_environment()
    with reading_shell() as session:
        for team, own in list_quotas(session):
            allowed = get_allowed(session, team.id, settings)._asdict()
            marked = {name: "*" if own and getattr(own, name) is not None else "" for name in allowed}
            click.echo(
                f"{team.name}  " + "  ".join(f"{name}={value:.0f}{marked[name]}" for name, value in allowed.items())
            )


@quotas.command("set")
@click.option("--team", required=True)
@click.option("--queued-jobs", type=COUNT, help="Jobs that have not ended.")
@click.option(
    "--worker-seconds",
    type=Limit(click.FloatRange(0)),
    help="Time that workers may spend in UNITATLAS_QUOTA_PERIOD_SECONDS.",
)
@click.option("--stored-bytes", type=COUNT, help="Bytes of artifacts.")
def set_own(team: str, **limits: float | None) -> None:
    """Set what a team may use; `default` is what the settings say."""
    given = {name: None if value == -1 else value for name, value in limits.items() if value is not None}
    with writing_shell() as session:
        if (found := find_team(session, team)) is None:
            raise click.ClickException(
                f"there is no team {team!r}; `python -m service keys list` names those with keys"
            )
        set_quota(session, found.id, **given)
        record(session, found.id, COMMAND_LINE, "quotas.set", "/v1/quotas")
