"""How gunicorn serves the API: settings come from UNITATLAS_* variables, as everywhere."""

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
