# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by run. What the suite needs of containers: podman behind Docker's API, Docker Compose v2, a Debian 13 base, and the images.
# Where a registry is reached KAFKA_IMAGE, HAPROXY_IMAGE and BASE_IMAGE name the real ones; unset, stand-ins are built.

readonly debian=trixie
work=${ROUNDTRIP_CACHE:-$HOME/.cache/roundtrip}/containers
build_flags=(--isolation=chroot --network host --format docker)

base_image() {
    [[ -z ${BASE_IMAGE:-} ]] || return 0
    BASE_IMAGE=localhost/roundtrip-debian:$debian
    debian_image "$debian" "$work"
}

# image NAME DOCKERFILE CONTEXT [FLAG...]
image() {
    local name=$1 file=$2 context=$3
    shift 3
    note "Building $name"
    podman build "${build_flags[@]}" --build-arg BASE="$BASE_IMAGE" "$@" -f "$file" -t "$name" "$context" >"$logs/build-${name##*/}" 2>&1 ||
        { tail -n 20 "$logs/build-${name##*/}"; return 1; }
}

our_images() {
    local service
    for service in gateway item-worker compute-worker tools; do
        image "localhost/roundtrip-$service" "$repo/deploy/Dockerfile" "$repo" --build-arg SERVICE="$service" || return 1
    done
}

stand_ins() {
    if [[ -z ${KAFKA_IMAGE:-} ]]; then
        local jars
        jars=$("$repo/deploy/run-kafka" --fetch) || return 1
        rm -rf "$logs/kafka" && mkdir "$logs/kafka"
        cp -r "$jars" "$logs/kafka/jars" && cp "$here/kafka-start" "$logs/kafka/"
        KAFKA_IMAGE=localhost/roundtrip-standin-kafka
        image "$KAFKA_IMAGE" "$here/kafka.Dockerfile" "$logs/kafka" || return 1
    fi
    if [[ -z ${HAPROXY_IMAGE:-} ]]; then
        HAPROXY_IMAGE=localhost/roundtrip-standin-haproxy
        image "$HAPROXY_IMAGE" "$here/haproxy.Dockerfile" "$here" || return 1
    fi
}

# Docker Compose v2, out of Debian 13's package: bookworm has version 1 only.
compose_v2() {
    compose=$work/docker-compose
    [[ ! -x $compose ]] || return 0
    mkdir -p "$logs/compose"
    podman "${run_flags[@]}" run --rm --network host "${limits[@]}" -v "$logs/compose:/out" "$BASE_IMAGE" sh -c \
        'cd /out && apt-get -qq update && apt-get -qq -o APT::Sandbox::User=root download docker-compose && dpkg -x docker-compose_*.deb .' \
        >"$logs/compose-download" 2>&1 || { tail -n 5 "$logs/compose-download"; return 1; }
    cp "$logs/compose/usr/libexec/docker/cli-plugins/docker-compose" "$compose.new" && mv "$compose.new" "$compose"
}

# Docker's API by podman, for this run only; and what systemd would do elsewhere: the health checks.
start_engine() {
    cat >"$logs/containers.conf" <<TEXT
[containers]
default_ulimits = ["nofile=8192:8192", "nproc=10000:10000"]
[network]
network_backend = "netavark"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
compat_api_enforce_docker_hub = false
TEXT
    export CONTAINERS_CONF=$logs/containers.conf DOCKER_HOST=unix://$logs/podman.sock
    podman system service --time=0 "$DOCKER_HOST" >"$logs/podman" 2>&1 &
    engine_pid=$!
    (while sleep 1; do
        for name in $(podman ps --filter "name=^$project-" --format '{{.Names}}' 2>/dev/null); do
            podman healthcheck run "$name" >/dev/null 2>&1 || true
        done
    done) &
    health_pid=$!
}

# Also where it never started: "kill 0" would end whoever called the suite.
stop_engine() {
    local pid
    for pid in ${health_pid:-} ${engine_pid:-}; do
        kill "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
}
