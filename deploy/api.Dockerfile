# The API, migrations, keys and the relay: everything that needs no torch.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS project
RUN python3 -m venv /opt/build
WORKDIR /source
COPY . .
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --wheel-dir /wheel .

FROM ${PYTHON_IMAGE}
RUN python3 -m venv /opt/unitatlas
WORKDIR /source
# What the project needs is a layer of its own, so that a change of code builds and ships only the code anew.
COPY pyproject.toml requirements.lock ./
RUN /opt/unitatlas/bin/pip install --no-cache-dir --constraint requirements.lock ".[team]"
RUN useradd --uid 10001 --no-create-home --home-dir /tmp unitatlas && install -d -o unitatlas -g unitatlas /data /import
COPY --from=project /wheel /wheel
RUN /opt/unitatlas/bin/pip install --no-cache-dir --no-deps --no-index --force-reinstall /wheel/*.whl
COPY deploy/gunicorn.conf.py deploy/serve /opt/unitatlas/deploy/
ENV PATH=/opt/unitatlas/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    UNITATLAS_DATA_DIR=/data UNITATLAS_HOST=0.0.0.0
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
CMD ["/opt/unitatlas/deploy/serve"]
