# A worker: torch with the CUDA libraries that it brings along; the driver comes from the host.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1
RUN python3 -m venv /opt/unitatlas
WORKDIR /source
# What the project needs comes before the project, so that a change of code installs nothing anew.
COPY pyproject.toml requirements.lock ./
RUN /opt/unitatlas/bin/pip install --constraint requirements.lock ".[worker,team]"
COPY . .
RUN /opt/unitatlas/bin/pip install --no-deps --force-reinstall .

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --no-create-home --home-dir /tmp unitatlas && install -d -o unitatlas -g unitatlas /data /import
COPY --from=build /opt/unitatlas /opt/unitatlas
ENV PATH=/opt/unitatlas/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    UNITATLAS_DATA_DIR=/data TORCH_HOME=/data/cache/torch
USER 10001:10001
WORKDIR /tmp
# A worker keeps its row in the database fresh; torch and CUDA may take a minute to come up.
HEALTHCHECK --interval=30s --timeout=10s --start-period=90s --retries=3 \
    CMD ["python", "-m", "workers", "seen", "--name", "worker"]
CMD ["python", "-m", "workers", "run", "--name", "worker"]
