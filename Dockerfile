# Both services in one image: `docker run mysync mysync-producer run` or `… mysync-consumer run`.

FROM python:3.11-slim AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir "uv>=0.9,<1"
WORKDIR /src
# The dependencies first, as locked: this layer stays while only our own code changes.
COPY pyproject.toml uv.lock ./
COPY lab/pyproject.toml lab/
RUN uv export --frozen --no-dev --no-emit-workspace --output-file requirements.txt \
    && python -m venv /opt/mysync \
    && /opt/mysync/bin/pip install --no-cache-dir --require-hashes --requirement requirements.txt
COPY LICENSE setup.py ./
COPY schemas schemas
COPY runtime runtime
COPY producer producer
COPY consumer consumer
# A hot-path module that doesn't compile fails the build: an image is never the slow variant.
RUN MYSYNC_COMPILED=1 pip wheel --no-cache-dir --no-deps --wheel-dir dist . \
    && /opt/mysync/bin/pip install --no-cache-dir --no-deps dist/mysync-*.whl

FROM python:3.11-slim
LABEL org.opencontainers.image.title="mysync" \
      org.opencontainers.image.description="MySQL and MariaDB to Kafka to MySQL and MariaDB, exactly once" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 mysync \
    && useradd --uid 10001 --gid mysync --no-create-home --shell /usr/sbin/nologin mysync
COPY --from=build /opt/mysync /opt/mysync
ENV PATH="/opt/mysync/bin:${PATH}" \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
# Health, metrics and status: 8701 of the producer, 8702 of the consumer.
EXPOSE 8701 8702
STOPSIGNAL SIGTERM
CMD ["mysync-producer", "--help"]
