# SPDX-License-Identifier: Apache-2.0
"""What is to hold of every pod. A rule takes (docs, facts) and gives what is wrong, as texts."""

import re

from manifests import (SERVING, WORKLOADS, container_of, environment, find, labels_of, name_of, number, of_kind, pod_of, quantity,
                       secret_files, secret_of, selects, SIZES)

PARKED_KIB = 41  # memory of a connection that waits: gateway/README.md, "Parked requests"


def images(docs, facts):
    wrong = []
    for workload in of_kind(docs, *WORKLOADS):
        image = container_of(workload)["image"]
        name, _, tag = image.rpartition("/")[2].partition(":")
        if name not in facts.programs.of_image:
            wrong.append(f"{image}: deploy/Dockerfile makes {', '.join(facts.programs.of_image)}")
        if tag != facts.version:
            wrong.append(f"{image}: the version in CMakeLists.txt is {facts.version}")
    return wrong


def hardened(docs, facts):
    wrong = []
    for workload in of_kind(docs, *WORKLOADS):
        pod, container = pod_of(workload), container_of(workload)
        user, inner = pod.get("securityContext", {}), container.get("securityContext", {})
        account = find(docs, "ServiceAccount", pod.get("serviceAccountName"))
        demands = {
            "runs as the image's user, never root": user.get("runAsNonRoot") is True and user.get("runAsUser") == facts.programs.user
            and "runAsUser" not in inner,
            "can read its secrets (fsGroup)": user.get("fsGroup") == facts.programs.user,
            "seccomp": user.get("seccompProfile", {}).get("type") == "RuntimeDefault",
            "root file system is read-only": inner.get("readOnlyRootFilesystem") is True,
            "no new privileges": inner.get("allowPrivilegeEscalation") is False and not inner.get("privileged"),
            "no capabilities": inner.get("capabilities") == {"drop": ["ALL"]},
            "an account of its own": account is not None,
            "no token": pod.get("automountServiceAccountToken") is False and (account or {}).get("automountServiceAccountToken") is False,
            "no variables of other Services": pod.get("enableServiceLinks") is False,
            "a limit of memory, and requests": "memory" in container["resources"].get("limits", {}) and
            {"cpu", "memory"} <= set(container["resources"].get("requests", {})),
        }
        wrong += [f"{name_of(workload)}: not so: {demand}" for demand, holds in demands.items() if not holds]
    return wrong


def settings(docs, facts):
    return [f"{name_of(workload)}: {text}" for workload in of_kind(docs, *WORKLOADS)
            for text in facts.wrong_settings(facts.programs, docs, workload)]


def served_paths(facts, program):
    """Those of the operators' listener, which need no token, as its source says."""
    source = "gateway/admin.c" if program == "roundtrip-gateway" else "shared/worker/ops.c"
    return set(re.findall(r'"(/health/[a-z]+)"', (facts.repo / source).read_text(encoding="utf-8")))


def probes(docs, facts):
    wrong = []
    for workload in of_kind(docs, *SERVING):
        container, values = container_of(workload), environment(docs, workload)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        expected = {"operators": values.get("ROUNDTRIP_ADMIN_PORT")}
        if facts.programs.of(workload) == "roundtrip-gateway":
            expected["http"] = values.get("ROUNDTRIP_PORT")
        if {name: str(port) for name, port in ports.items()} != expected:
            wrong.append(f"{name_of(workload)}: its ports are {ports}, its settings say {expected}")
        for kind, path in (("startupProbe", "/health/live"), ("livenessProbe", "/health/live"), ("readinessProbe", "/health/ready")):
            get = container.get(kind, {}).get("httpGet", {})
            if get.get("port") != "operators" or get.get("path") != path or path not in served_paths(facts, facts.programs.of(workload)):
                wrong.append(f"{name_of(workload)}: {kind} asks {get.get('port')} for {get.get('path')}")
        if any(values.get(name) != "0.0.0.0" for name in ("ROUNDTRIP_ADMIN_LISTEN", "ROUNDTRIP_LISTEN")[:len(expected)]):
            wrong.append(f"{name_of(workload)}: listens where nobody in the cluster reaches it")
    return wrong


def memory(docs, facts):
    """The limit has room for what the settings allow."""
    wrong = []
    for workload in of_kind(docs, *SERVING):
        program, values = facts.programs.of(workload), environment(docs, workload)
        limit = quantity(container_of(workload)["resources"]["limits"]["memory"])
        given = {**facts.programs.settings(program), **values}
        if program == "roundtrip-compute-worker":
            needed = number(given["ROUNDTRIP_MEMORY"], SIZES) + number(given["ROUNDTRIP_GATHERED_MEMORY"], SIZES) + 512 * 2**20
        elif program == "roundtrip-gateway":
            needed = int(given["ROUNDTRIP_MAX_CONNECTIONS"]) * PARKED_KIB * 2**10 + number(given["ROUNDTRIP_STALE_COPY"], SIZES) + 256 * 2**20
        else:
            needed = 512 * 2**20
        if limit < needed:
            wrong.append(f"{name_of(workload)}: limited to {limit / 2**20:.0f} MiB, its settings allow {needed / 2**20:.0f}")
    return wrong


def references(docs, facts):
    """What is named is there: ConfigMaps, secrets in deploy/README.md, pods behind Services and selectors, one namespace."""
    wrong = []
    for workload in of_kind(docs, *WORKLOADS):
        for source in container_of(workload).get("envFrom", []):
            if not find(docs, "ConfigMap", source["configMapRef"]["name"]):
                wrong.append(f"{name_of(workload)}: there is no ConfigMap {source['configMapRef']['name']}")
        for path, (secret, _) in secret_files(workload).items():
            used = {secret_of(workload, value.removeprefix("@")) for value in environment(docs, workload).values() if value.lstrip("@").startswith("/")}
            for name, key in used - {None}:
                if name == secret and not re.search(rf"secret generic {secret}\b.*[= ]{key}\b", facts.readme):
                    wrong.append(f"{name_of(workload)}: deploy/README.md does not say how to make {secret} with {key} ({path})")
        if workload["kind"] in SERVING and not selects(workload["spec"]["selector"], labels_of(workload)):
            wrong.append(f"{name_of(workload)}: does not select its own pods")
        if workload["kind"] == "StatefulSet":
            service = find(docs, "Service", workload["spec"]["serviceName"])
            if not service or service["spec"].get("clusterIP") != "None" or not selects({"matchLabels": service["spec"]["selector"]}, labels_of(workload)):
                wrong.append(f"{name_of(workload)}: no headless Service names its pods")
    for service in of_kind(docs, "Service"):
        behind = [w for w in of_kind(docs, *SERVING) if selects({"matchLabels": service["spec"]["selector"]}, labels_of(w))]
        names = {port["name"] for workload in behind for port in container_of(workload)["ports"]}
        if len(behind) != 1 or not {port["targetPort"] for port in service["spec"]["ports"]} <= names:
            wrong.append(f"Service {name_of(service)}: its ports {service['spec']['ports']} meet {names} of {len(behind)} workloads")
    for doc in docs:
        space = name_of(doc) if doc["kind"] == "Namespace" else doc["metadata"].get("namespace")
        if space != "roundtrip":
            wrong.append(f"{doc['kind']} {name_of(doc)} is in the namespace {space}")
    return wrong
