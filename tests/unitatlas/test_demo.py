"""The demo as a newcomer runs it, with fewer images."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from PIL import Image

from unitatlas.demo import LAYERS


def test_the_demo_finds_detectors_and_leaves_a_picture_and_no_process(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("unitatlas")), "demo", "--images", "80"]
    # a setting of this machine must not matter, whatever it is
    environment = os.environ | {
        "TMPDIR": str(tmp_path),
        "OMP_NUM_THREADS": "1",
        "UNITATLAS_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "UNITATLAS_KEY": "ua_unknown",
    }
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert [line.split(":")[0] for line in lines if line.endswith("units are detectors")] == LAYERS
    best = lines[lines.index("The ten best detectors") + 2 :][:10]
    ious = [float(line.split()[-1]) for line in best]
    assert ious == sorted(ious, reverse=True)
    assert min(ious) > 0.04
    with Image.open(lines[-1]) as picture:
        assert picture.width > picture.height > 64
    port = int(lines[0].split("port ")[1].split(",")[0])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
