"""`unitatlas members`, `shares`, `quotas` and `audit`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID

import click

from unitatlas.client import Client
from unitatlas.commands.options import as_json, limited
from unitatlas.output import print_one, print_rows, show_json, show_table
from unitatlas.team import AuditEntry, Member, Share

MEMBER_COLUMNS = ["name", "role", "since"]
SHARE_COLUMNS = ["id", "kind", "address", "by", "until", "revoked"]
AUDIT_COLUMNS = ["when", "who", "what", "of what"]

role = click.argument("role", type=click.Choice(["admin", "member", "reader"]))


def member_row(member: Member) -> Sequence[object]:
    """A member as a row of a table."""
    return member.name, member.role, member.created_at


def share_row(share: Share) -> Sequence[object]:
    """A link as a row of a table."""
    return share.id, share.kind, share.address, share.author, share.expires_at, share.revoked_at


def audit_row(entry: AuditEntry) -> Sequence[object]:
    """An entry of the audit log as a row of a table."""
    return entry.at, entry.actor, entry.action, entry.subject


@click.group()
def members() -> None:
    """People in the team; `keys create --team TEAM --member NAME` makes a key for one."""


@members.command("list")
@as_json
@click.pass_obj
def list_members(client: Client, as_json: bool) -> None:
    """List the members."""
    print_rows([*client.team.members()], MEMBER_COLUMNS, as_json, member_row)


@members.command("add")
@click.argument("name")
@role
@as_json
@click.pass_obj
def add_member(client: Client, name: str, role: str, as_json: bool) -> None:
    """Take a person into the team."""
    print_one(client.team.add_member(name, role), MEMBER_COLUMNS, as_json, member_row)


@members.command("role")
@click.argument("name")
@role
@as_json
@click.pass_obj
def change_role(client: Client, name: str, role: str, as_json: bool) -> None:
    """Give a member another role, which holds for all their keys at once."""
    print_one(client.team.change_role(name, role), MEMBER_COLUMNS, as_json, member_row)


@members.command("remove")
@click.argument("name")
@as_json
@click.pass_obj
def remove_member(client: Client, name: str, as_json: bool) -> None:
    """Take a member out of the team, and revoke their keys."""
    print_one(client.team.remove_member(name), MEMBER_COLUMNS, as_json, member_row)


@click.group()
def shares() -> None:
    """Links that show one thing, and nothing else, to whoever has them."""


@shares.command("list")
@limited
@as_json
@click.pass_obj
def list_shares(client: Client, limit: int, as_json: bool) -> None:
    """List the links, newest first."""
    print_rows([*islice(client.team.shares(), limit)], SHARE_COLUMNS, as_json, share_row)


@shares.command("add")
@click.argument("address")
@click.option("--until", type=click.DateTime(), help="When it ends, in UTC; by default in 30 days.")
@as_json
@click.pass_obj
def add_share(client: Client, address: str, until: datetime | None, as_json: bool) -> None:
    """Make a link to what is at an address and print it, e.g. `shares add /v1/jobs/ID`; it is shown this once."""
    share = client.team.share(address, expires_at=until and until.replace(tzinfo=UTC))
    print_one(share, ["link", "until"], as_json, lambda made: (made.url, made.expires_at))


@shares.command("revoke")
@click.argument("id", type=click.UUID)
@as_json
@click.pass_obj
def revoke_share(client: Client, id: UUID, as_json: bool) -> None:
    """Revoke a link, for good and at once."""
    print_one(client.team.revoke_share(id), SHARE_COLUMNS, as_json, share_row)


@click.command("quotas")
@as_json
@click.pass_obj
def show_quotas(client: Client, as_json: bool) -> None:
    """Show what the team uses and may use of jobs, workers' time and storage."""
    found = client.team.quotas()
    if as_json:
        show_json(found.raw)
    else:
        rows = [(name.replace("_", " "), told["used"], told["allowed"]) for name, told in found.raw.items()]
        show_table(["of", "used", "allowed"], rows)


@click.command("audit")
@click.option("--actor", help="Who did it.")
@click.option("--action", help="What was done, e.g. jobs.submit.")
@limited
@as_json
@click.pass_obj
def list_audit(client: Client, actor: str | None, action: str | None, limit: int, as_json: bool) -> None:
    """List who changed what and when, newest first."""
    found = [*islice(client.team.audit(actor=actor, action=action), limit)]
    print_rows(found, AUDIT_COLUMNS, as_json, audit_row)
