# SPDX-License-Identifier: Apache-2.0
# Stands in for the image haproxy where no registry is reached; as in that, there is a wget for the health check.
ARG BASE=docker.io/library/debian:trixie-slim
FROM ${BASE}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends haproxy wget && rm -rf /var/lib/apt/lists/*
USER haproxy
