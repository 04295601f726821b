# SPDX-License-Identifier: Apache-2.0
"""Reading metrics pages in tests, promtool, and the table of metrics in deploy/monitoring/METRICS.md."""

import re
import shutil
import subprocess

import http_client
from processes import ROOT

SAMPLE = re.compile(r'^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_][a-z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Page:
    """A page of the text format 0.0.4."""

    def __init__(self, text):
        self.text = text
        self.types, self.helps, self.samples = {}, {}, []
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ", 3)
                assert name not in self.types, f"{name} twice"
                self.types[name] = kind
            elif line.startswith("# HELP "):
                _, _, name, words = line.split(" ", 3)
                self.helps[name] = words
            else:
                found = SAMPLE.match(line)
                assert found, f"not a sample: {line}"
                self.samples.append((found[1], dict(LABEL.findall(found[2] or "")), float(found[3])))

    def family_of(self, name):
        """Of a sample's name."""
        base = re.sub(r"_(bucket|count|sum)$", "", name)
        return base if self.types.get(base) == "histogram" else name

    def labels_of(self, family):
        return {label for name, labels, _ in self.samples if self.family_of(name) == family for label in labels if label != "le"}

    def all(self, name, **labels):
        return [value for n, have, value in self.samples if n == name and all(have.get(k) == v for k, v in labels.items())]

    def sum(self, name, **labels):
        return sum(self.all(name, **labels))

    def one(self, name, **labels):
        found = self.all(name, **labels)
        assert len(found) == 1, f"{name} {labels}: {found}"
        return found[0]


def admin_of(process):
    """An HTTP client of its operators' listener: the second line of its ready file."""
    return http_client.Http(int(process.ready_path.read_text().splitlines()[1].rsplit(":", 1)[1]))


def scrape(http, **headers):
    response = http.get("/metrics", **headers)
    assert response.status == 200, (response.status, response.body)
    return Page(response.body.decode())


def promtool():
    """Its path; None where there is none: tests/run fetches it."""
    own = ROOT / "build/tools/promtool"
    return shutil.which("promtool") or (str(own) if own.exists() else None)


def run_promtool(*arguments, text=None):
    """0 and nothing to say, or what it says."""
    done = subprocess.run([promtool(), *map(str, arguments)], input=text, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, (done.stdout + done.stderr).strip()


def documented():
    """The rows of deploy/monitoring/METRICS.md: name -> (type, labels, kinds of process, meaning)."""
    rows = {}
    for line in (ROOT / "deploy/monitoring/METRICS.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and re.fullmatch(r"`[a-z_]+`", cells[0]):
            labels = set(re.findall(r"`([a-z_]+)`", cells[2]))
            rows[cells[0].strip("`")] = (cells[1], labels, set(cells[3].split(", ")), cells[4])
    return rows
