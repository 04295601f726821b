# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by the suites that need containers, behind deploy/lib.sh: podman as root without a daemon, and base images by debootstrap.

# netavark and aardvark-dns in every suite: podman keeps to the network that it found at its first call, and without them that is one without names.
# shellcheck disable=SC2034 # for who sources this
podman_packages=(podman runc debootstrap netavark aardvark-dns iptables)
# shellcheck disable=SC2034
run_flags=(--runtime runc --cgroup-manager cgroupfs)
limits=(--ulimit nofile=8192:8192 --ulimit nproc=10000:10000)

# debian_image RELEASE SCRATCH: makes localhost/roundtrip-debian:RELEASE where it is missing. SCRATCH is a folder for it.
debian_image() {
    local image=localhost/roundtrip-debian:$1 root=$2/$1
    ! podman image exists "$image" || return 0
    note "Making a base image of Debian $1 by debootstrap (a minute, once)"
    rm -rf "$root" && mkdir -p "$2"
    debootstrap --variant=minbase "$1" "$root" >"$2/debootstrap.log" 2>&1 || { tail -n 5 "$2/debootstrap.log"; return 1; }
    tar -C "$root" -c . | podman import - "$image" >>"$2/debootstrap.log" 2>&1
    rm -rf "$root"
}

# container_works IMAGE: can a container run here at all? Prints why not.
container_works() { podman "${run_flags[@]}" run --rm --network host "${limits[@]}" "$1" true 2>&1; }
