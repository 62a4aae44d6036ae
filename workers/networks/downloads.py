"""Published weights, fetched once and kept in torch's cache."""

from pathlib import Path
from urllib.parse import urlparse

import torch

from service.errors import Unavailable

REMEDY = (
    'fetch it elsewhere, upload the file as an artifact and register the model with {"artifact": <its sha256>} instead'
)


def fetch(url: str) -> Path:
    """Download a file whose name ends in the first digits of its sha256; raise Unavailable if that fails."""
    file = Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(url).path).name)
    if not file.exists():
        _download(url, file)
    return file


def _download(url: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    digits = file.stem.rpartition("-")[2]
    try:
        torch.hub.download_url_to_file(url, str(file), hash_prefix=digits, progress=False)
    except (OSError, RuntimeError) as error:
        raise Unavailable(f"{url} could not be downloaded ({error}); {REMEDY}", "/weights/pretrained") from error
