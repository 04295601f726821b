# SPDX-License-Identifier: Apache-2.0
# Stands in for the image apache/kafka where no registry is reached: the same Kafka, from Maven's jars, that takes its settings
# as that one does, from KAFKA_* variables. The context is the folder of the jars with kafka-start beside them.
ARG BASE=docker.io/library/debian:trixie-slim
FROM ${BASE}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends openjdk-21-jre-headless && \
    rm -rf /var/lib/apt/lists/* && useradd --system --uid 1000 kafka && install -d -o kafka /var/lib/kafka/data /opt/kafka/config
COPY jars /opt/kafka/libs
COPY kafka-start /opt/kafka/start
USER kafka
VOLUME /var/lib/kafka/data
CMD ["/opt/kafka/start"]
