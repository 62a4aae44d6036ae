"""`unitatlas open`: the address that it prints is what the browser gets, and a page of the service."""

import click
import httpx
import pytest
from click.testing import CliRunner

from unitatlas import Job
from unitatlas.cli import cli
from unitatlas.pages import class_page, job_page, unit_page


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    addresses: list[str] = []
    monkeypatch.setattr(click, "launch", addresses.append)
    return addresses


def opened(url: str, *arguments: str) -> str:
    result = CliRunner().invoke(cli, ["--url", url, "--key", "", "open", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_a_unit_and_a_job_open(url: str, dissected: Job, launched: list[str]) -> None:
    for arguments, heading in ((("unit", "net", "features.3", "8"), "unit 8"), (("job", dissected.id), dissected.id)):
        address = opened(f"{url}/", *arguments)
        assert launched.pop() == address
        answer = httpx.get(address)
        assert answer.status_code == 200
        assert heading in answer.text


def test_addresses_are_quoted() -> None:
    assert unit_page("http://a", "my net", "a/b", 3) == "http://a/models/my%20net/layers/a%2Fb/units/3"
    assert job_page("http://a", "x/y") == "http://a/jobs/x%2Fy"
    assert class_page("http://a", "net", "tea & pot") == "http://a/class?class=tea+%26+pot&model=net"
