# SPDX-License-Identifier: Apache-2.0
"""Starting and stopping our programs in tests: by pid, with logs, readiness by file, on ports they choose themselves."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ROUNDTRIP_TEST_BUILD", ROOT / "build" / "dev"))
BROKER = os.environ.get("ROUNDTRIP_TEST_BROKER", "embedded")
SANITIZED = os.environ.get("ROUNDTRIP_TEST_SANITIZER", "")

# Machines are noisy and sanitizers slow: every time limit of ours is multiplied by this.
SLACK = float(os.environ.get("ROUNDTRIP_TEST_SLACK") or (4.0 if SANITIZED else 1.5))
READY_SECONDS = 60

STARTED = []  # every Process and Kafka, for stop_all()
REPORTED = []  # names of those in whose logs a sanitizer's report was found: runner.py runs no such class again

REPORTS = re.compile(r"(ERROR: AddressSanitizer|WARNING: ThreadSanitizer|runtime error:|ERROR: LeakSanitizer)")


def once(why):
    """A test that runs in the suite component with the plain build only: runner.py."""
    def mark(test):
        test.once = why
        return test
    return mark


def wait_for(what, condition, seconds=10.0, step=0.02):
    """The first true value of condition(); AssertionError naming `what` when it does not come in time."""
    end = time.monotonic() + seconds * SLACK
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds * SLACK:.0f} s in vain for {what}")
        time.sleep(step)


def sanitizer_env():
    support = ROOT / "tests" / "support"
    return {
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
        "TSAN_OPTIONS": f"suppressions={support}/tsan.supp:exitcode=99:halt_on_error=0",
        "LSAN_OPTIONS": f"suppressions={support}/lsan.supp:print_suppressions=0",
    }


def stop_all():
    """Ends all that this test process has started: for when it is told to end itself."""
    for started in STARTED:
        if isinstance(started, Kafka):
            started.stop()
        else:
            started.kill()


class Process:
    """One program of ours, with its log in a file."""

    def __init__(self, name, arguments, folder):
        self.name = name
        self.arguments = [str(a) for a in arguments]
        self.log_path = pathlib.Path(folder) / f"{name}.log"
        self.ready_path = pathlib.Path(folder) / f"{name}.ready"
        self.popen = None
        self.wanted = False  # it should be running: see Cluster.supervise()
        self.environment = {}
        STARTED.append(self)

    def start(self):
        self.wanted = True
        self.ready_path.unlink(missing_ok=True)
        log = open(self.log_path, "ab")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ROUNDTRIP_")}
        environment.update(sanitizer_env() | self.environment)
        self.popen = subprocess.Popen(
            self.arguments + ["--ready-file", str(self.ready_path)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        log.close()
        return self

    def wait_ready(self):
        def ready():
            if self.popen.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.popen.returncode} before it was ready:\n{self.tail()}")
            return self.ready_path.exists()
        try:
            wait_for(f"{self.name} to be ready", ready, READY_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail()}") from None
        return self

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen is not None and self.popen.poll() is None

    def signal(self, number):
        self.popen.send_signal(number)

    def stop(self, seconds=20):
        """SIGTERM, then its exit code; SIGKILL when it does not listen."""
        self.wanted = False
        if not self.running():
            return self.popen.returncode if self.popen else None
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(seconds * SLACK)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"{self.name} did not stop within {seconds * SLACK:.0f} s\n{self.tail()}") from None

    def kill(self):
        self.wanted = False
        if self.running():
            self.popen.kill()
            self.popen.wait()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def tail(self, lines=30):
        return f"--- end of {self.log_path} ---\n" + "\n".join(self.log().splitlines()[-lines:])

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self):
        """Bytes of memory that it has."""
        return int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def reports(self):
        found = REPORTS.findall(self.log())
        if found:
            REPORTED.append(self.name)
        return found


class Kafka:
    """A real one-node Kafka from deploy/run-kafka, in a folder of its own. `bench`: tuned for throughput, not for a quick start;
    `secure`: TLS and SASL. `nodes`: so many of them."""

    def __init__(self, folder, bench=False, secure=False, nodes=1):
        self.dir = str(folder)
        self.bench, self.secure, self.nodes = bench, secure, nodes
        self.bootstrap = None
        STARTED.append(self)

    def start(self, keep=False):
        port = self.bootstrap.rsplit(":", 1)[1] if keep else "0"
        command = [str(ROOT / "deploy" / "run-kafka"), "--detach", "--dir", self.dir, "--port", port]
        if keep:
            command.append("--keep")
        if self.bench:
            command.append("--bench")
        if self.secure:
            command.append("--secure")
        if self.nodes > 1:
            command += ["--brokers", str(self.nodes)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise AssertionError(f"run-kafka failed:\n{done.stderr}")
        self.bootstrap = done.stdout.strip().splitlines()[-1]
        return self

    def pid_of(self, node):
        return int(pathlib.Path(self.dir, str(node) if self.nodes > 1 else "", "kafka.pid").read_text().split()[0])

    def start_node(self, node):
        """One that has ended, of several."""
        done = subprocess.run([str(ROOT / "deploy" / "run-kafka"), "--detach", "--dir", self.dir, "--start-node", str(node)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise AssertionError(f"run-kafka failed:\n{done.stderr}")

    def security(self):
        """What our programs need to be let in: librdkafka's properties."""
        if not self.secure:
            return {}
        lines = pathlib.Path(self.dir, "client.env").read_text().split()
        return {name.removeprefix("ROUNDTRIP_KAFKA_").lower().replace("_", "."): value for name, value in (line.split("=", 1) for line in lines)}

    def stop(self):
        subprocess.run([str(ROOT / "deploy" / "stop-kafka"), "--dir", self.dir], stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=120, check=False)


def scratch_folder():
    return tempfile.TemporaryDirectory(prefix="roundtrip-test-")
