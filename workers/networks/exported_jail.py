"""Archives from strangers are loaded by a child that has no key, no network and no files to lose."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NoReturn

from service.errors import Invalid
from workers.networks.confinement import missing
from workers.networks.exported_child import REFUSED

CHILD = ("-m", "workers.networks.exported_child")
"""What Python runs."""
SECONDS = 600
"""How long the child may take in all."""
LONGEST = 2000
"""Characters that are shown of what a child says."""
BROKEN = 1
"""Exit status of a Python that could not even begin."""
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
"""The whole environment, but for where libraries lie: one thread, no GPU."""


def load_confined(archive: Path, plain: IO[bytes], child: Sequence[str] = CHILD, seconds: float = SECONDS) -> None:
    """Have a child write the plain form of an archive into a file.

    Raises
    ------
    Invalid
        If the child refuses the archive, or does not survive it.
    RuntimeError
        If the child could not begin, which is no fault of the archive.
    """
    missing()  # says so in the log
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors, archive.open("rb") as content:
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", *child],
            stdin=content,
            stdout=plain,
            stderr=errors,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            _refuse(f"it took more than {seconds:g} seconds")
        finally:
            process.kill()
            process.wait()
        if status != 0:
            _explain(status, plain, errors)


def _environment(folder: str) -> dict[str, str]:
    libraries = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
    return {**ALONE, **libraries, "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8"}


def _explain(status: int, plain: IO[bytes], errors: IO[bytes]) -> NoReturn:
    plain.seek(0)
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - LONGEST))
    if status == REFUSED:
        raise Invalid(_read_refusal(plain.read(4 * LONGEST)), "/weights")
    if status == BROKEN:
        raise RuntimeError(f"the process that loads archives broke: {errors.read().decode(errors='replace')}")
    _refuse(f"its process was ended by {signal.Signals(-status).name}" if status < 0 else f"it ended with {status}")


def _read_refusal(content: bytes) -> str:
    try:
        return str(json.loads(content))[:LONGEST]
    except ValueError:
        _refuse("its process refused it without words")


def _refuse(problem: str) -> NoReturn:
    raise Invalid(f"the exported archive could not be loaded: {problem}", "/weights")
