"""Addresses of the explorer's pages."""

from urllib.parse import quote, urlencode


def unit_page(url: str, model: str, layer: str, unit: int) -> str:
    """Address of a unit's page."""
    return f"{url}/models/{quote(model, safe='')}/layers/{quote(layer, safe='')}/units/{unit}"


def job_page(url: str, id: str) -> str:
    """Address of a job's page."""
    return f"{url}/jobs/{quote(id, safe='')}"


def class_page(url: str, model: str, class_: str) -> str:
    """Address of the page that explains a class of a model."""
    return f"{url}/class?{urlencode({'class': class_, 'model': model})}"
