# SPDX-License-Identifier: Apache-2.0
"""Which cores processes have, and how much of them: what a machine of their own would give them."""
import os
import pathlib

PERIOD_US = 10_000  # short, so that a process whose share is used up waits milliseconds


def pin(pids, cores):
    """All threads of these processes to these cores."""
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            try:
                os.sched_setaffinity(int(task.name), cores)
            except ProcessLookupError:
                pass  # a thread that has just ended


class Share:
    """At most `share` of one core for all of these processes together, by a cgroup of our own (version 1 or 2). Needs root."""

    def __init__(self, pids, share):
        quota = round(share * PERIOD_US)
        unified = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()
        self.folder = pathlib.Path("/sys/fs/cgroup", *([] if unified else ["cpu"]), f"roundtrip-bench-{os.getpid()}")
        limits = {"cpu.max": f"{quota} {PERIOD_US}"} if unified else {"cpu.cfs_period_us": PERIOD_US, "cpu.cfs_quota_us": quota}
        try:
            if unified:
                self.folder.parent.joinpath("cgroup.subtree_control").write_text("+cpu")
            self.folder.mkdir()
            for name, value in limits.items():
                self.folder.joinpath(name).write_text(str(value))
            for pid in pids:
                self.folder.joinpath("cgroup.procs").write_text(str(pid))
        except OSError as error:
            self.end()
            raise SystemExit(f"cannot limit the service to {share} of a core ({error}): run as root where cgroups can be made, "
                             "or with --service-share 0 for no limit")

    def end(self):
        """Gives the processes back to where they came from; the cgroup goes."""
        if not self.folder.exists():
            return
        for pid in self.folder.joinpath("cgroup.procs").read_text().split():
            self.folder.parent.joinpath("cgroup.procs").write_text(pid)
        self.folder.rmdir()
