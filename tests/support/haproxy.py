# SPDX-License-Identifier: Apache-2.0
"""HAProxy with the configuration we recommend (deploy/haproxy.cfg), on other ports."""

import csv
import io
import pathlib
import re
import shutil
import signal
import socket
import subprocess

from processes import ROOT, STARTED, wait_for

PROGRAM = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


def installed():
    return PROGRAM is not None


class HAProxy:
    """Before gateways at these ports; `port` is where it listens."""

    def __init__(self, gateways, folder):
        self.folder = pathlib.Path(folder)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self.port = self.listener.getsockname()[1]
        self.stats_path = self.folder / "haproxy.sock"
        self.config = self.folder / "haproxy.cfg"
        self.log_path = self.folder / "haproxy.log"
        self.config.write_text(self.configuration(gateways))
        self.popen = None
        STARTED.append(self)

    def configuration(self, gateways):
        text = (ROOT / "deploy/haproxy.cfg").read_text()
        text, count = re.subn(r"bind 127\.0\.0\.1:8000", f"bind fd@{self.listener.fileno()}", text)
        assert count == 1, text
        servers = "".join(f"    server gateway-{n + 1} 127.0.0.1:{port}\n" for n, port in enumerate(gateways))
        text, count = re.subn(r"(?:    server gateway-\d .*\n)+", servers, text)
        assert count == 1, text
        return text + f"\nglobal\n    stats socket {self.stats_path} level user\n"

    def start(self):
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen([PROGRAM, "-db", "-f", str(self.config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          pass_fds=[self.listener.fileno()])
        self.listener.close()  # it has its own
        wait_for("HAProxy to listen", self.listens)
        return self

    def listens(self):
        if self.popen.poll() is not None:
            raise AssertionError(f"HAProxy ended with {self.popen.returncode}:\n{self.log_path.read_text()}")
        return self.stats_path.exists() and self.servers()

    def servers(self):
        """Each gateway's counters, by name."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.stats_path))
            sock.sendall(b"show stat -1 4 -1\n")
            text = b""
            while chunk := sock.recv(65536):
                text += chunk
        return {row["svname"]: row for row in csv.DictReader(io.StringIO(text.decode().removeprefix("# ")))}

    def wait_up(self, name):
        wait_for(f"HAProxy to see that {name} is ready", lambda: self.servers()[name]["status"] == "UP", 20)

    def stop(self):
        if self.popen and self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        if self.popen and self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
