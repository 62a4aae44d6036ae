# The API, migrations, keys and the relay: everything that needs no torch.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1
RUN python3 -m venv /opt/unitatlas
WORKDIR /source
# What the project needs comes before the project, so that a change of code installs nothing anew.
COPY pyproject.toml requirements.lock ./
RUN /opt/unitatlas/bin/pip install --constraint requirements.lock ".[team]"
COPY . .
RUN /opt/unitatlas/bin/pip install --no-deps --force-reinstall .

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --no-create-home --home-dir /tmp unitatlas && install -d -o unitatlas -g unitatlas /data /import
COPY --from=build /opt/unitatlas /opt/unitatlas
COPY deploy/gunicorn.conf.py deploy/serve /opt/unitatlas/deploy/
ENV PATH=/opt/unitatlas/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    UNITATLAS_DATA_DIR=/data UNITATLAS_HOST=0.0.0.0
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
CMD ["/opt/unitatlas/deploy/serve"]
