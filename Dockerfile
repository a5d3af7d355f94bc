# One image for every role: `docker run IMAGE serve …`, or build with ROLE=serve to make that the default.
#
# The last stage holds the binary, Arrow's two libraries and Debian's runtime packages, nothing else. Where the Swift image
# cannot be had, `--target prebuilt` takes a binary that scripts/image built on a Debian 12 machine instead.
ARG SWIFT_IMAGE=docker.io/library/swift:6.3-bookworm
ARG RUNTIME_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${RUNTIME_IMAGE} AS runtime
COPY scripts/install-deps scripts/arrow-requirements.txt /tmp/mlops/scripts/
RUN /tmp/mlops/scripts/install-deps --runtime --no-arrow \
    && rm -rf /tmp/mlops /var/lib/apt/lists/* /var/cache/apt/* /var/log/*.log /var/log/apt \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /work --shell /usr/sbin/nologin mlops \
    && mkdir /work && chown mlops:mlops /work
ARG ROLE=all
ENV ROLE=${ROLE}
WORKDIR /work
# track and serve; the ports of the others are for health and metrics.
EXPOSE 5000 8501
# Arguments that do not start with a subcommand belong to the default one.
ENTRYPOINT ["/bin/sh", "-c", "case \"${1:--}\" in -*) set -- \"$ROLE\" \"$@\" ;; esac; exec mlops \"$@\"", "mlops"]

FROM runtime AS prebuilt
COPY dist/image/ /
RUN ldconfig
COPY --chown=mlops:mlops examples /work/examples
USER 10001

FROM ${SWIFT_IMAGE} AS build
WORKDIR /src
COPY scripts/install-deps scripts/arrow-requirements.txt scripts/
RUN scripts/install-deps
COPY Package.swift Package.resolve[d] ./
RUN swift package resolve
COPY Sources Sources
COPY Tests Tests
COPY scripts/stage-image scripts/
RUN scripts/stage-image /out

FROM runtime
COPY --from=build /out/ /
RUN ldconfig
COPY --chown=mlops:mlops examples /work/examples
USER 10001
