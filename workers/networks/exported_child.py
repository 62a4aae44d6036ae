"""The process that loads an archive from a stranger: it is given the file as standard input and nothing else.

It confines itself before it reads the first byte, and writes the network in plain form, or a refusal, to its output.
"""

import json
import os
import resource
import sys
import tempfile
from pathlib import Path

import service
import workers
from service.errors import Invalid
from workers.networks.confinement import confine
from workers.networks.exported_plain import extract
from workers.networks.weights import MAX_INDEX_BYTES

REFUSED = 3
"""Exit status with which it writes a refusal."""
SECONDS = 300
"""Processor time that it may take."""
SYSTEM = ["/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null", "/dev/urandom", "/sys/devices/system/cpu"]
ABOUT_ITSELF = ["cpuinfo", "meminfo", "self"]
"""Below /proc; libraries look at what they run on."""


def limit_itself() -> None:
    """Leave this process Python's and torch's files to read, its empty working directory to write, and nothing else."""
    code = [Path(package.__path__[0]) for package in (service, workers)]
    python = [Path(sys.prefix), Path(sys.base_prefix), *map(Path, SYSTEM)]
    about = [Path("/proc", name).resolve() for name in ABOUT_ITSELF]
    # the clean copy and the plain form are about as large as the archive
    largest = os.fstat(0).st_size + 2 * MAX_INDEX_BYTES
    limits = {resource.RLIMIT_CPU: SECONDS, resource.RLIMIT_FSIZE: largest}
    confine([*code, *python, *about], [Path.cwd()], limits)


def main() -> None:
    """Load the archive on standard input."""
    output = os.dup(1)
    os.dup2(2, 1)  # whatever prints does so elsewhere
    limit_itself()
    with os.fdopen(output, "wb") as target:
        try:
            with tempfile.TemporaryFile(dir=".") as clean:
                target.write(extract(sys.stdin.buffer, clean))
        except Invalid as refusal:
            target.write(json.dumps(refusal.detail).encode())
            sys.exit(REFUSED)


if __name__ == "__main__":
    main()
