# Debian's Redis in the manner of the `redis` image, as far as docker-compose.yml uses it: for where no registry is.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
RUN apt-get update && apt-get install --yes --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/* \
    && install -d -o redis -g redis /data
USER redis
WORKDIR /data
CMD ["redis-server"]
