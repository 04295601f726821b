#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The rules of deploy/lib.sh that keep its callers from hitting a stranger's process.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../../../deploy/lib.sh
source "$here/../../../deploy/lib.sh"

dir=$(mktemp -d)
failed=0
check() { # check WHAT COMMAND...
    local what=$1
    shift
    if ! "$@"; then
        printf 'FAILED: %s\n' "$what"
        failed=1
    fi
}
# shellcheck disable=SC2317 # called through check
refuse() { ! "$@" 2>/dev/null; }

# A process that waits until its standard input ends.
mkfifo "$dir/hold"
cat "$dir/hold" &
child=$!
exec 3>"$dir/hold"

pid_write "$dir/child.pid" "$child"
check 'the process of a fresh pid file is found' test "$(pid_of "$dir/child.pid")" = "$child"

printf '%s 1\n' "$child" >"$dir/stranger.pid"
check 'a pid with another start time is somebody else' refuse pid_of "$dir/stranger.pid"
pid_stop "$dir/stranger.pid" 1
check 'somebody else is not stopped' kill -0 "$child"
check 'the stale file is gone' test ! -e "$dir/stranger.pid"

: >"$dir/empty.pid"
check 'an empty pid file names nobody' refuse pid_of "$dir/empty.pid"
check 'a missing pid file names nobody' refuse pid_of "$dir/missing.pid"

pid_stop "$dir/child.pid" 5
check 'our own process is stopped' refuse kill -0 "$child"
check 'stopping twice is all right' pid_stop "$dir/child.pid" 1
check 'a process that is gone gets no pid file' refuse pid_write "$dir/gone.pid" "$child"
exec 3>&-

check 'the bounds belong to the range' is_number 64 0 64
check 'beyond the range' refuse is_number 65 0 64
check 'leading zeros are no octal number' is_number 08 0 64
check 'no number' refuse is_number 1x 0 64
check 'no negative number' refuse is_number -1 0 64

rm -rf "$dir"
exit "$failed"
