# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: processes and what they use, the machine and what others use of it, the machine's description."""
import os
import pathlib
import platform
import re
import resource
import subprocess
import sys
import time

REPO = pathlib.Path(__file__).resolve().parent.parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
NOISE_LIMIT = 0.10  # of the machine used by others: beyond it the figures say little


class Failure(Exception):
    """Nothing can be measured; its text says why and what to do."""


def note(text):
    print(text, file=sys.stderr, flush=True)


def output_of(*command):
    """The first line that it prints; "?" when it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "?"
    return (done.stdout.strip() or done.stderr.strip() or "?").splitlines()[0]


def first_match(pattern, path):
    match = re.search(pattern, pathlib.Path(path).read_text(), re.M)
    return match.group(1) if match else "?"


# --- processes ---------------------------------------------------------------------------------------------------------


def cpu_seconds(pid):
    """User and system time of all its threads, librdkafka's too."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mib(pid):
    return int(first_match(r"^VmRSS:\s+(\d+) kB", f"/proc/{pid}/status")) / 1024


def children_seconds():
    """Of the load generators: children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Process:
    """One program, with a log and a ready file in the run folder."""

    def __init__(self, folder, name, command):
        self.name, self.log, self.ready = name, folder / f"{name}.log", folder / f"{name}.ready"
        self.ready.unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(  # pylint: disable=consider-using-with
                [*map(str, command), "--ready-file", str(self.ready)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = self.child.pid

    def check(self):
        if self.child.poll() is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
            raise Failure(f"{self.name} ended with {self.child.returncode}. Its log ends:\n{tail}")

    def wait_ready(self, seconds=60, step=0.02):
        """What it wrote into its ready file; it is looked for every `step` seconds."""
        end = time.monotonic() + seconds
        while not (self.ready.exists() and self.ready.read_text().endswith("\n")):
            self.check()
            if time.monotonic() > end:
                raise Failure(f"{self.name} was not ready within {seconds} s; see {self.log}")
            time.sleep(step)
        return self.ready.read_text().strip()

    def kill(self):
        self.child.kill()
        self.child.wait()

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(15)
            except subprocess.TimeoutExpired:
                note(f"{self.name} did not stop within 15 s: killing it")
                self.child.kill()
                self.child.wait()


# --- the machine -------------------------------------------------------------------------------------------------------


def busy_seconds():
    """With what a hypervisor gave to other machines meanwhile (steal): that is not ours either."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def loopback_bytes():
    """What the loopback device has carried: of all hops of a request together."""
    return int(first_match(r"^\s*lo:\s+(\d+)", "/proc/net/dev"))


class Watch:
    """CPU of some processes and of others, and bytes on the loopback, from its making on. The load generators are children that have ended."""

    def __init__(self, pids):
        self.pids, self.began = dict(pids), time.monotonic()
        self.busy, self.generators, self.bytes = busy_seconds(), children_seconds(), loopback_bytes()
        self.before = {name: cpu_seconds(pid) for name, pid in self.pids.items()}

    def used(self):
        """(CPU seconds by process, "client" being the load generator; share of the machine that others used; bytes)"""
        used = {name: cpu_seconds(pid) - self.before[name] for name, pid in self.pids.items()}
        used["client"] = children_seconds() - self.generators
        others = max(0.0, busy_seconds() - self.busy - sum(used.values()))
        return used, others / (time.monotonic() - self.began) / os.cpu_count(), loopback_bytes() - self.bytes


def wait_quiet(patience):
    """Lets others finish for at most `patience` seconds; how many are left."""
    while patience > 0:
        watch = Watch({})
        time.sleep(1)
        if watch.used()[1] <= NOISE_LIMIT:
            break
        patience -= 1
    return patience


def commit(folder=REPO):
    text = output_of("git", "-C", str(folder), "rev-parse", "--short", "HEAD")
    changed = output_of("git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no")
    return text if changed == "?" else f"{text} with changes"


def describe_machine():
    memory = int(first_match(r"^MemTotal:\s+(\d+)", "/proc/meminfo")) / 2**20
    libraries = ", ".join(f"{name} {output_of('pkg-config', '--modversion', package)}" for name, package in (
        ("librdkafka", "rdkafka"), ("libmicrohttpd", "libmicrohttpd"), ("json-c", "json-c"), ("lmdb", "lmdb")))
    yield f"- Machine: {first_match(r'^model name.*: (.*)', '/proc/cpuinfo')}, {os.cpu_count()} cores, {memory:.0f} GiB"
    yield f"- System: {first_match('^PRETTY_NAME=.(.*).$', '/etc/os-release')}, Linux {platform.release()}; {libraries}"
    yield (f"- Kafka {first_match('<kafka.version>(.*)</kafka.version>', REPO / 'deploy/kafka/pom.xml')}, one node, "
           f"deploy/run-kafka --bench; {output_of('java', '-version')}; {output_of('wrk', '-v').split(' Copyright')[0]}")
