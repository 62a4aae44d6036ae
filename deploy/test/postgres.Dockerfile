# Debian's PostgreSQL in the manner of the `postgres` image, as far as docker-compose.yml uses it: for where no registry is.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql && rm -rf /var/lib/apt/lists/* \
    && install -d -o postgres -g postgres /var/lib/postgresql/data && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/
COPY start-postgres /usr/local/bin/
USER postgres
CMD ["start-postgres"]
