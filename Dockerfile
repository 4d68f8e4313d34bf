# Octavia's image: API, workers, scheduler and commands are all this one, with different commands (docs/containers.md).
#
#   docker build -t octavia .
#   docker build --build-arg EXTRAS=kokoro,otel,postgres,s3,demo -t octavia:offline .    # with a recogniser and a voice inside
#
# The Python is Debian's own, the very one that Octavia's tests run on.

FROM debian:bookworm-slim AS python
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ENV LANG=C.UTF-8 PYTHONUNBUFFERED=1
# Debian's releases get only security fixes: to pin their versions would keep those out.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/cache/ldconfig/* /var/log/* \
    && find / -xdev -perm /6000 -type f -exec chmod a-s {} +


FROM python AS build
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv
RUN python3 -m venv /opt/octavia
WORKDIR /source
ARG EXTRAS=kokoro,otel,postgres,s3
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# The packages first, with an empty Octavia: a change of the code leaves this layer as it is. All are wheels, so nothing
# is compiled. The secret, if there is one, is a pip.conf that names mirrors; it stays out of the image.
COPY pyproject.toml requirements.lock LICENSE README.md ./
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    mkdir octavia && echo '__version__ = "0"' >octavia/__init__.py \
    && /opt/octavia/bin/pip install --only-binary :all: --constraint requirements.lock ".[$EXTRAS]"
COPY octavia octavia
COPY migrations migrations
COPY rabbitmq rabbitmq
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    rm -rf build ./*.egg-info \
    && /opt/octavia/bin/pip install --force-reinstall --no-deps . \
    && /opt/octavia/bin/pip uninstall --yes setuptools \
    && /opt/octavia/bin/pip check


FROM python
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="Octavia" \
      org.opencontainers.image.description="Recorded speech in one language into text, subtitles and spoken audio in another" \
      org.opencontainers.image.licenses="GPL-3.0-or-later" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
# A number without a name on the host. Volumes that are made from these folders belong to it.
RUN groupadd --gid 10001 octavia \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/octavia --no-create-home --shell /usr/sbin/nologin octavia \
    && install --directory --mode 0700 --owner octavia --group octavia /var/lib/octavia \
    && install --directory --mode 0755 --owner octavia --group octavia /var/cache/octavia/models
COPY --from=build /opt/octavia /opt/octavia
ENV PATH=/opt/octavia/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    OCTAVIA_DATA_DIR=/var/lib/octavia \
    OCTAVIA_MODELS_DIR=/var/cache/octavia/models \
    OCTAVIA_HOST=0.0.0.0 \
    OCTAVIA_PORT=8000
USER 10001:10001
WORKDIR /var/lib/octavia
VOLUME ["/var/lib/octavia", "/var/cache/octavia/models"]
EXPOSE 8000
STOPSIGNAL SIGTERM
# Of the API; workers and the scheduler have another, or none.
HEALTHCHECK --interval=30s --timeout=30s --start-period=180s --retries=3 CMD ["octavia", "health"]
CMD ["octavia", "serve"]
