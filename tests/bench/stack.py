# SPDX-License-Identifier: Apache-2.0
"""A Roundtrip that begins with nothing: topics of its own on a Kafka that may have served another one before, empty disks."""
import http.client
import shutil
import subprocess
import sys
import threading
import time

from measure import REPO, Failure, cpu_seconds, first_match, note
from targets import Roundtrip, binary

sys.path.insert(0, str(REPO / "tests/support"))
import many_items  # noqa: E402  pylint: disable=wrong-import-position

LENGTH = 100  # of a description
TOPICS_SECONDS = 60
SEEKERS = 24  # ids that are asked for while a worker is replaced: they spread over all partitions
TAKEOVER_SECONDS = 120


def forget(bootstrap):
    """All topics but Kafka's own, once the workers' groups are empty: a member that has not left would bring its old partitions along."""
    from confluent_kafka.admin import AdminClient  # pylint: disable=import-outside-toplevel; it may be installed only now
    admin, end = AdminClient({"bootstrap.servers": bootstrap}), time.monotonic() + TOPICS_SECONDS
    while members := [m.client_id for group in admin.list_groups(timeout=30) if group.id.endswith("-workers") for m in group.members]:
        if time.monotonic() > end:
            raise Failure(f"{', '.join(members)} did not leave within {TOPICS_SECONDS} s, though ended")
        time.sleep(0.1)
    while names := [name for name in admin.list_topics(timeout=30).topics if not name.startswith("__")]:
        if time.monotonic() > end:
            raise Failure(f"Kafka did not delete {', '.join(names)} within {TOPICS_SECONDS} s")
        for future in admin.delete_topics(names, operation_timeout=30).values():
            future.exception()  # of one that is being deleted already
        time.sleep(0.1)


class Stack(Roundtrip):
    """`with Stack(…) as stack`: a gateway and workers; items 1 to `items`."""

    ready_seconds, look_seconds = 1800, 0.002  # a worker may read a log of ten million items; some start within 100 ms

    def __init__(self, stand, build, partitions=6, items=1000, length=LENGTH, gateway_flags=(), compute=True):
        super().__init__("stack", build)
        self.stand, self.partitions, self.items, self.length = stand, partitions, items, length
        self.gateway_flags, self.compute = gateway_flags, compute
        self.gateway_seconds = self.created_seconds = 0.0
        self.stride = int(items * 0.618) // 10 * 10 + 7  # ends with 7: meets all of a power of ten

    def make_topics(self):
        forget(self.stand.bootstrap)
        done = subprocess.run([binary(self.build, "roundtrip-topics"), "--kafka", self.stand.bootstrap, "--partitions", str(self.partitions)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise Failure(f"could not make the topics: {done.stderr}")

    def state(self, role):
        return self.stand.folder / f"state-{role}"

    def start_worker(self, role="worker"):
        self.start_one(role, "roundtrip-item-worker", "--instance-id", role, "--state-dir", self.state(role), "--log-level", "info")

    def __enter__(self):
        try:
            self.make_topics()
            for role in ("worker", "peer", "compute"):
                shutil.rmtree(self.state(role), ignore_errors=True)
            self.start_worker()
            if self.compute:  # one thread, in long parts: what it computes is nobody's concern here
                self.start_one("compute", "roundtrip-compute-worker", "--instance-id", "compute", "--state-dir", self.state("compute"),
                               "--pool-threads", "1", "--checkpoint-interval", "1h")
            began = time.monotonic()
            self.url = self.start_one("gateway", "roundtrip-gateway", "--instance-id", "gateway-1", "--port", "0", *self.gateway_flags).split()[0]
            self.gateway_seconds = time.monotonic() - began
            self.created_seconds = many_items.create_all(self.stand.bootstrap, self.items, self.length, note)
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.stop()

    def port(self):
        return int(self.url.rstrip("/").rsplit(":", 1)[1])

    def spoil(self, count):
        """So many dead letters more."""
        many_items.spoil(self.stand.bootstrap, count, note)

    def change(self, times):
        """Every item so many times."""
        many_items.change_all(self.stand.bootstrap, self.items, times, self.length, note)

    # --- starts and takeovers ---

    def timed_start(self, role="worker", fresh=False):
        """Seconds until it serves its partitions, its CPU seconds, MiB of its own, MiB resident. `fresh`: without a local copy."""
        if fresh:
            shutil.rmtree(self.state(role), ignore_errors=True)
        began = time.monotonic()
        self.start_worker(role)
        seconds, pid = time.monotonic() - began, self.processes[role].pid
        own, resident = (int(first_match(rf"^{name}:\s+(\d+) kB", f"/proc/{pid}/status")) / 1024 for name in ("RssAnon", "VmRSS"))
        return seconds, cpu_seconds(pid), own, resident

    def seek(self, id):
        """Until it is answered, by whoever serves it by then."""
        end = time.monotonic() + TAKEOVER_SECONDS
        while time.monotonic() < end:
            connection = http.client.HTTPConnection("127.0.0.1", self.port(), timeout=TAKEOVER_SECONDS)
            try:
                connection.request("GET", f"/items/{id}", headers={"Prefer": "wait=60"})
                if connection.getresponse().status == 200:
                    return True
            except OSError:
                pass
            finally:
                connection.close()
            time.sleep(0.02)
        return False

    def takeover(self, role, kill):
        """Seconds from the worker's end, in order or not, until a client has every item again, from its peer."""
        process, found = self.processes[role], []
        seekers = [threading.Thread(target=lambda id=id: found.append(self.seek(id))) for id in range(1, SEEKERS + 1)]
        began = time.monotonic()
        if kill:
            process.kill()
        else:
            process.child.terminate()
        for seeker in seekers:
            seeker.start()
        for seeker in seekers:
            seeker.join()
        seconds = time.monotonic() - began
        process.stop()
        if not all(found):
            raise Failure(f"{role} was not taken over within {TAKEOVER_SECONDS} s: see the logs in {self.stand.folder}")
        return seconds
