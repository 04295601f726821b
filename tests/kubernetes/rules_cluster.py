# SPDX-License-Identifier: Apache-2.0
"""What is to hold between pods: who reaches whom, how many there are, how they end. Rules as in rules_pods.py."""

import re

from manifests import SECONDS, SERVING, WORKLOADS, container_of, environment, find, labels_of, name_of, number, of_kind, pod_of, selects

NOTICED_S = 5   # until Services and ingresses send nothing more to a pod that ends
SPARE_S = 5


def allowed(docs, direction, labels):
    """The rules of all policies about pods with these labels; None where no policy restricts that direction."""
    about = [p["spec"] for p in of_kind(docs, "NetworkPolicy") if selects(p["spec"]["podSelector"], labels) and direction in p["spec"]["policyTypes"]]
    return [rule for policy in about for rule in policy.get(direction.lower(), [])] if about else None


def opens(rules, port, protocol="TCP"):
    """The rules that let this port through."""
    return [rule for rule in rules or [] if not rule.get("ports") or
            any(str(p.get("port")) == str(port) and p.get("protocol", "TCP") == protocol for p in rule["ports"])]


def from_monitoring(rule):
    return rule.get("from") == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


def network(docs, facts):
    wrong = []
    for workload in of_kind(docs, *WORKLOADS):
        name, labels = name_of(workload), labels_of(workload)
        out, come = allowed(docs, "Egress", labels), allowed(docs, "Ingress", labels)
        if out is None or come is None or not all(rule.get("ports") for rule in out + come):
            wrong.append(f"{name}: not everything is closed to it that is not said to be open")
            continue
        for server in environment(docs, workload)["ROUNDTRIP_KAFKA"].split(","):
            if not opens(out, server.rpartition(":")[2]):
                wrong.append(f"{name}: cannot reach Kafka at {server}")
        if not all(opens(out, 53, protocol) for protocol in ("UDP", "TCP")):
            wrong.append(f"{name}: cannot ask DNS")
        ports = {port["name"] for port in container_of(workload).get("ports", [])}
        for port in ports:
            rules = opens(come, port)
            fits = all(map(from_monitoring, rules)) if port == "operators" else any("from" not in rule for rule in rules)
            if not rules or not fits:
                wrong.append(f"{name}: who may ask its port {port}: {rules}")
        beyond = [rule for rule in come if not any(p.get("port") in ports for p in rule["ports"])]
        wrong += [f"{name}: {rule} opens a port that it does not have" for rule in beyond]
    return wrong


def disruption(docs, facts):
    wrong = []
    for workload in of_kind(docs, *SERVING):
        budgets = [b["spec"] for b in of_kind(docs, "PodDisruptionBudget") if selects(b["spec"]["selector"], labels_of(workload))]
        if len(budgets) != 1:
            wrong.append(f"{name_of(workload)}: {len(budgets)} budgets select its pods; more than one keep a node from being drained")
        elif budgets[0].get("maxUnavailable") != 1 or budgets[0].get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            wrong.append(f"{name_of(workload)}: its budget lets go {budgets[0].get('maxUnavailable')} at a time")
    return wrong


def scaled_by(docs, workload):
    """(lowest, highest, who) number of its pods."""
    for scaler in of_kind(docs, "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == (workload["kind"], name_of(workload)):
            spec = scaler["spec"]
            if scaler["kind"] == "ScaledObject":
                return spec["minReplicaCount"], spec["maxReplicaCount"], scaler
            return spec["minReplicas"], spec["maxReplicas"], scaler
    fixed = workload["spec"].get("replicas", 1)
    return fixed, fixed, None


def topics_of(docs):
    return environment(docs, find(docs, "Job", "topics"))


def numbers(docs, facts):
    """No more workers than partitions, no more gateways than half of the reply partitions, none by manifest and autoscaler at once."""
    wrong, topics = [], topics_of(docs)
    for workload in of_kind(docs, *SERVING):
        low, high, scaler = scaled_by(docs, workload)
        gateway = name_of(workload) == "gateway"
        bound = int(topics["ROUNDTRIP_REPLY_PARTITIONS"]) // 2 if gateway else int(topics["ROUNDTRIP_PARTITIONS"])
        if not 1 <= low <= high <= bound:
            wrong.append(f"{name_of(workload)}: {low} to {high} of them, for at most {bound}")
        if scaler and "replicas" in workload["spec"]:
            wrong.append(f"{name_of(workload)}: replicas in the manifest, which {scaler['kind']} sets, too")
        if facts.several and low < 2:
            wrong.append(f"{name_of(workload)}: one alone, so there is nobody while it is restarted")
    for scaler in of_kind(docs, "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        if not find(docs, target["kind"], target["name"]):
            wrong.append(f"{scaler['kind']} {name_of(scaler)}: there is no {target['kind']} {target['name']}")
    return wrong


def keda(docs, facts):
    """What KEDA is told: the topic and group that the worker has, the same brokers, only words that its source knows."""
    workers = {name_of(w) for w in of_kind(docs, "StatefulSet")}
    scaled = {s["spec"]["scaleTargetRef"]["name"] for s in of_kind(docs, "ScaledObject")}
    wrong = [f"{name} does not follow its lag" for name in workers - scaled]
    for scaler in of_kind(docs, "ScaledObject"):
        worker = find(docs, scaler["spec"]["scaleTargetRef"]["kind"], scaler["spec"]["scaleTargetRef"]["name"])
        trigger, service = scaler["spec"]["triggers"][0], name_of(scaler).removesuffix("-worker")
        told, values = trigger["metadata"], environment(docs, worker) if worker else {}
        expected = {"topic": f"{service}.commands", "consumerGroup": values.get("ROUNDTRIP_GROUP") or f"{service}-workers",
                    "bootstrapServers": values.get("ROUNDTRIP_KAFKA")}
        wrong += [f"{name_of(scaler)}: {key} is {told.get(key)}, its worker's {value}" for key, value in expected.items() if told.get(key) != value]
        wrong += [f"{name_of(scaler)}: KEDA's scaler does not know {key}" for key in told if key not in facts.keda_words]
        secured = "sasl" in values.get("ROUNDTRIP_KAFKA_SECURITY_PROTOCOL", "")
        access = find(docs, "TriggerAuthentication", trigger.get("authenticationRef", {}).get("name"))
        given = [p for part in ("configMapTargetRef", "secretTargetRef") for p in (access or {"spec": {}})["spec"].get(part, [])]
        if secured and (told.get("tls") != "enable" or not {"username", "password", "ca"} <= {p["parameter"] for p in given}):
            wrong.append(f"{name_of(scaler)}: Kafka wants TLS and a password, KEDA has {[p['parameter'] for p in given]}")
        for part in (access or {"spec": {}})["spec"].get("configMapTargetRef", []):
            if part["key"] not in (find(docs, "ConfigMap", part["name"]) or {"data": {}})["data"]:
                wrong.append(f"{name_of(scaler)}: no ConfigMap {part['name']} has {part['key']}")
    return wrong


def worker_stop_s(facts):
    """The longest that a worker takes to stop, from its source's limits."""
    text = "".join((facts.repo / path).read_text(encoding="utf-8") for path in ("shared/bus/consumer.c", "shared/worker/open.c"))
    limits = {name: int(ms) for name, ms in re.findall(r"#define (\w+_MS) +(\d+)", text)}
    flushes = sum(int(ms) for ms in re.findall(r"producer_flush\(worker->\w+, (\d+)\)", text))
    return (limits["LEAVE_TIMEOUT_MS"] + limits["CLOSE_TIMEOUT_MS"] + limits["DRAIN_MS"] + limits["POOL_STOP_MS"] + flushes) / 1000


def endings(docs, facts):
    """A pod that is told to stop has time to; a gateway goes on serving until nobody sends to it and all have their answer."""
    wrong = []
    for workload in of_kind(docs, *SERVING):
        name, values, grace = name_of(workload), environment(docs, workload), pod_of(workload)["terminationGracePeriodSeconds"]
        if values.get("ROUNDTRIP_INSTANCE_ID") != facts.pod_name(workload):
            wrong.append(f"{name}: its instance id is not its pod's name")
        if workload["kind"] == "StatefulSet":
            if grace < worker_stop_s(facts) + SPARE_S:
                wrong.append(f"{name}: is killed after {grace} s, may need {worker_stop_s(facts):.1f} s")
            if workload["spec"].get("podManagementPolicy") != "Parallel" or workload["spec"]["updateStrategy"]["type"] != "RollingUpdate":
                wrong.append(f"{name}: one that cannot start would keep the others from being mended")
            continue
        given = {**facts.programs.settings("roundtrip-gateway"), **values}
        drain, longest = (number(given[key], SECONDS) for key in ("ROUNDTRIP_DRAIN_DELAY", "ROUNDTRIP_MAX_DEADLINE"))
        if grace < drain + facts.drain_s + SPARE_S:
            wrong.append(f"{name}: is killed after {grace} s, drains for {drain} + {facts.drain_s} s")
        if drain < longest + NOTICED_S:
            wrong.append(f"{name}: stops {drain} s after it was told to, a request may wait {longest} s")
        rolling = workload["spec"]["strategy"].get("rollingUpdate", {})
        if rolling.get("maxUnavailable") != 0 or not rolling.get("maxSurge"):
            wrong.append(f"{name}: an update takes a gateway away before another is there")
    return wrong


def durable(docs, facts):
    """Where data are to be kept: three copies, and nobody reads or writes on the way to Kafka."""
    values = topics_of(docs)
    wrong = [] if values["ROUNDTRIP_REPLICATION"] == "3" else [f"replication is {values['ROUNDTRIP_REPLICATION']}"]
    for workload in of_kind(docs, *WORKLOADS):
        values = environment(docs, workload)
        if values.get("ROUNDTRIP_KAFKA_SECURITY_PROTOCOL") != "sasl_ssl" or not values.get("ROUNDTRIP_KAFKA_SASL_PASSWORD", "").startswith("@/"):
            wrong.append(f"{name_of(workload)}: not by TLS, or its password is no file")
    return wrong
