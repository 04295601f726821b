# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts in deploy/ share: messages, packages, pid files that cannot hit a stranger, free ports. Source it.

note() { printf '%s\n' "$*" >&2; }
die() {
    note "${0##*/}: $*"
    exit 1
}
usage_error() {
    note "${0##*/}: $*"
    note "See: ${0##*/} --help"
    exit 2
}

# need_value FLAG COUNT: refuses a flag that came last without its value. COUNT is "$#".
need_value() { [[ $2 -ge 2 ]] || usage_error "$1 needs a value"; }

# is_number TEXT LOW HIGH
is_number() { [[ $1 =~ ^[0-9]{1,9}$ ]] && ((10#$1 >= $2 && 10#$1 <= $3)); }

# check_number FLAG VALUE LOW HIGH
check_number() { is_number "$2" "$3" "$4" || usage_error "$1 $2: give a whole number from $3 to $4"; }

# missing_packages NAME...: prints those of the Debian packages that are not installed.
missing_packages() {
    local name
    for name; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || printf '%s\n' "$name"
    done
}

# install_packages NAME...: installs what is missing of them, and says so; does nothing when all are there.
install_packages() {
    local missing as_root=()
    command -v apt-get >/dev/null ||
        die "this is not a Debian or Ubuntu system: install what these Debian packages hold, then use --no-install: $*"
    mapfile -t missing < <(missing_packages "$@")
    [[ ${#missing[@]} -gt 0 ]] || return 0
    if [[ $EUID -ne 0 ]]; then
        command -v sudo >/dev/null || die "missing packages; install them as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    note "Installing Debian packages: ${missing[*]}"
    # An index that is too old names files that are gone: update it once and try again.
    apt_install "${missing[@]}" || {
        note "Updating the package index first"
        "${as_root[@]}" apt-get -qq update >&2 && apt_install "${missing[@]}"
    } || die "apt-get could not install: ${missing[*]}. See its messages above"
}

# Uses as_root of install_packages.
apt_install() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" \
        </dev/null >/dev/null
}

# A pid file holds "PID STARTTIME": a pid that was given to another process since has another start time.

# process_start PID: the process's start time in clock ticks since boot; fails when it is gone or a zombie.
process_start() {
    local stat
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    local -a field
    read -ra field <<<"${stat##*) }" # after "pid (comm) ": state is field 0, starttime field 19
    [[ ${field[0]} != Z ]] && printf '%s\n' "${field[19]}"
}

# pid_write FILE PID
pid_write() {
    local start
    start=$(process_start "$2") || return 1
    printf '%s %s\n' "$2" "$start" >"$1.new" && mv "$1.new" "$1"
}

# pid_of FILE: prints the pid when that very process still runs.
pid_of() {
    local pid start
    [[ -s $1 ]] && read -r pid start <"$1" && [[ $(process_start "$pid") == "$start" ]] && printf '%s\n' "$pid"
}

# pid_wait_gone FILE SECONDS: fails when the process still runs after that.
pid_wait_gone() {
    local end=$((SECONDS + $2))
    while pid_of "$1" >/dev/null; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

# pid_stop FILE SECONDS: SIGTERM, and after SECONDS SIGKILL; removes the file. Does nothing when the process is gone.
pid_stop() {
    local pid
    if pid=$(pid_of "$1"); then
        kill -TERM "$pid" 2>/dev/null || true
        if ! pid_wait_gone "$1" "$2"; then
            note "Process $pid ($(basename "$1" .pid)) did not stop within $2 s: killing it"
            kill -KILL "$pid" 2>/dev/null || true
            pid_wait_gone "$1" 5 || true
        fi
    fi
    rm -f "$1"
}

# port_listens PORT: whether any TCP socket of this machine listens on it.
port_listens() {
    local hex
    printf -v hex '%04X' "$1"
    awk -v port="$hex" '$4 == "0A" && substr($2, length($2) - 3) == port { found = 1 } END { exit !found }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# free_port: prints a port nobody listens on, below the range the kernel hands out for connections. Somebody may take it
# before the caller does: try again then.
free_port() {
    local port try
    for try in {1..200}; do
        port=$((10240 + (RANDOM * 32768 + RANDOM) % 22000))
        port_listens "$port" || break
        [[ $try -lt 200 ]] || die "found no free port: close some programs"
    done
    printf '%s\n' "$port"
}
