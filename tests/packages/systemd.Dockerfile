# SPDX-License-Identifier: Apache-2.0
# A clean Debian with systemd as its first process, to install the packages in.
ARG BASE
FROM ${BASE}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends systemd systemd-sysv curl
STOPSIGNAL SIGRTMIN+3
CMD ["/sbin/init"]
