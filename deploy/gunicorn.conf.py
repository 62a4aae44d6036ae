"""How gunicorn serves the API: settings come from UNITATLAS_* variables, as everywhere."""

import os
import shutil
import tempfile
from typing import Any

# before prometheus_client is imported: the processes count together, so that /metrics is the same whichever answers
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="unitatlas-metrics-")

from service.settings import Settings

_settings = Settings.from_environment()

wsgi_app = "service:create_app()"
bind = f"{_settings.host}:{_settings.port}"
worker_class = "gthread"
workers = 2
# long polls and event streams wait on a thread each
threads = 64
# what is changed is changed by starting anew
control_socket_disable = True


def on_exit(server: Any) -> None:
    """Remove what the processes counted."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
