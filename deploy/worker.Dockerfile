# A worker: torch with the CUDA libraries that it brings along; the driver comes from the host.
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
RUN /opt/unitatlas/bin/pip install --no-cache-dir --constraint requirements.lock ".[worker,team]"
RUN useradd --uid 10001 --no-create-home --home-dir /tmp unitatlas && install -d -o unitatlas -g unitatlas /data /import
COPY --from=project /wheel /wheel
RUN /opt/unitatlas/bin/pip install --no-cache-dir --no-deps --no-index --force-reinstall /wheel/*.whl
ENV PATH=/opt/unitatlas/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    UNITATLAS_DATA_DIR=/data TORCH_HOME=/data/cache/torch
USER 10001:10001
WORKDIR /tmp
# A worker keeps its row in the database fresh; torch and CUDA may take a minute to come up.
HEALTHCHECK --interval=30s --timeout=10s --start-period=90s --retries=3 \
    CMD ["python", "-m", "workers", "seen", "--name", "worker"]
CMD ["python", "-m", "workers", "run", "--name", "worker"]
