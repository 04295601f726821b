# SPDX-License-Identifier: Apache-2.0
"""What a benchmark needs before it starts: packages, the folder for its output, a build."""
import importlib.util
import shutil
import subprocess
import sys

from measure import REPO, Failure, first_match


def need(options, found, package):
    if found:
        return
    if options.no_install:
        raise Failure(f"{package} is missing: apt-get install {package}")
    subprocess.run(["bash", "-c", f". {REPO}/deploy/lib.sh && install_packages {package}"], check=True)


def prepare(options, *packages):
    """The build's type. `packages`: (a Debian package, whether what it has is there), beside those that all need."""
    for package, found in (("wrk", shutil.which("wrk")), *packages):
        need(options, found, package)
    if options.out:
        need(options, importlib.util.find_spec("matplotlib"), "python3-matplotlib")
        options.out.mkdir(parents=True, exist_ok=True)
    cache = options.build_dir / "CMakeCache.txt"
    preset = [] if cache.exists() else ["--preset", "release"]
    for command in (["cmake", *preset, "-DROUNDTRIP_TESTS=ON", "-S", REPO, "-B", options.build_dir], ["cmake", "--build", options.build_dir]):
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
            raise Failure("the build failed; see above")
    return first_match(r"^CMAKE_BUILD_TYPE:\w+=(.*)$", cache)
