# SPDX-License-Identifier: Apache-2.0
"""Copies of the manifests, each with one mistake, and the check that must find it: a check that finds nothing is none."""

from manifests import container_of, find, of_kind, pod_of


def variable(docs, kind, name, key, value):
    """Sets, adds or (None) removes a variable of a container."""
    container = container_of(find(docs, kind, name))
    container["env"] = [v for v in container.get("env", []) if v["name"] != key] + ([{"name": key, "value": value}] if value is not None else [])


def setting(docs, key, value):
    for config in of_kind(docs, "ConfigMap"):
        if key in config["data"]:
            config["data"][key] = value


def gateway(docs):
    return find(docs, "Deployment", "gateway")


def worker(docs):
    return find(docs, "StatefulSet", "item-worker")


def drop(docs, kind, name):
    docs[:] = [doc for doc in docs if (doc["kind"], doc["metadata"]["name"]) != (kind, name)]


def scaler(docs):
    return find(docs, "ScaledObject", "item-worker")["spec"]


# (what is broken, the check that must find it, how)
SPOILS = (
    ("a member that is misspelt", "schemas", lambda d: pod_of(gateway(d)).update(terminationGracePeriod=5)),
    ("a number that is a text", "schemas", lambda d: worker(d)["spec"].update(minReadySeconds="ten")),
    ("a member that KEDA does not have", "schemas", lambda d: scaler(d).update(maxReplicas=3)),
    ("a kind that there is not", "schemas", lambda d: worker(d).update(apiVersion="apps/v1beta1")),
    ("an image that nobody builds", "images", lambda d: container_of(worker(d)).update(image="roundtrip-items:0.1.0")),
    ("an image without a version", "images", lambda d: container_of(worker(d)).update(image="roundtrip-item-worker")),
    ("a writable root", "hardened", lambda d: container_of(gateway(d))["securityContext"].update(readOnlyRootFilesystem=False)),
    ("root", "hardened", lambda d: pod_of(worker(d))["securityContext"].update(runAsUser=0)),
    ("a token", "hardened", lambda d: pod_of(worker(d)).pop("automountServiceAccountToken")),
    ("a setting that there is not", "settings", lambda d: variable(d, "Deployment", "gateway", "ROUNDTRIP_DRAIN_TIME", "3s")),
    ("a value that is wrong", "settings", lambda d: variable(d, "StatefulSet", "compute-worker", "ROUNDTRIP_MEMORY", "2Gi")),
    ("a property that librdkafka does not have", "settings", lambda d: setting(d, "ROUNDTRIP_KAFKA_SASL_MECHANISM", "SCRAM-SHA-513")),
    ("a secret that is not mounted", "settings", lambda d: pod_of(gateway(d))["volumes"].clear()),
    ("another port", "probes", lambda d: variable(d, "StatefulSet", "item-worker", "ROUNDTRIP_ADMIN_PORT", "9081")),
    ("a probe's path", "probes", lambda d: container_of(gateway(d))["readinessProbe"]["httpGet"].update(path="/ready")),
    ("less memory than settings allow", "memory", lambda d: variable(d, "StatefulSet", "compute-worker", "ROUNDTRIP_MEMORY", "4GiB")),
    ("a Service without pods", "references", lambda d: find(d, "Service", "gateway")["spec"]["selector"].update({"app.kubernetes.io/name": "gate"})),
    ("a ConfigMap that is gone", "references", lambda d: container_of(worker(d))["envFrom"][0]["configMapRef"].update(name="settings")),
    ("Kafka's port is closed", "network", lambda d: setting(d, "ROUNDTRIP_KAFKA", "kafka.example:9099")),
    ("DNS is closed", "network", lambda d: drop(d, "NetworkPolicy", "dns")),
    ("clients are shut out", "network", lambda d: drop(d, "NetworkPolicy", "clients")),
    ("operators' port is everybody's", "network", lambda d: find(d, "NetworkPolicy", "operators")["spec"]["ingress"][0].pop("from")),
    ("nothing is closed", "network", lambda d: [drop(d, "NetworkPolicy", name) for name in ("nothing", "clients", "operators")]),
    ("a budget of other pods", "disruption", lambda d: find(d, "PodDisruptionBudget", "gateway")["spec"]["selector"]["matchLabels"].update(
        {"app.kubernetes.io/name": "gate"})),
    ("more workers than partitions", "numbers", lambda d: scaler(d).update(maxReplicaCount=49)),
    ("a number of manifest and autoscaler", "numbers", lambda d: worker(d)["spec"].update(replicas=3)),
    ("an autoscaler of nobody", "numbers", lambda d: scaler(d)["scaleTargetRef"].update(name="items")),
    ("down to none", "numbers", lambda d: scaler(d).update(minReplicaCount=0)),
    ("a worker that is not scaled", "keda", lambda d: drop(d, "ScaledObject", "compute-worker")),
    ("another group", "keda", lambda d: scaler(d)["triggers"][0]["metadata"].update(consumerGroup="items")),
    ("a word that KEDA does not know", "keda", lambda d: scaler(d)["triggers"][0]["metadata"].update(lagTreshold="5")),
    ("KEDA without a password", "keda", lambda d: scaler(d)["triggers"][0].pop("authenticationRef")),
    ("killed while it drains", "endings", lambda d: pod_of(gateway(d)).update(terminationGracePeriodSeconds=30)),
    ("a worker killed while it stops", "endings", lambda d: pod_of(worker(d)).update(terminationGracePeriodSeconds=15)),
    ("a drain that is shorter than a wait", "endings", lambda d: variable(d, "Deployment", "gateway", "ROUNDTRIP_MAX_DEADLINE", None)),
    ("a gateway fewer in an update", "endings", lambda d: gateway(d)["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1)),
    ("an id that changes", "endings", lambda d: variable(d, "StatefulSet", "item-worker", "ROUNDTRIP_INSTANCE_ID", "item-worker")),
    ("one copy", "durable", lambda d: setting(d, "ROUNDTRIP_REPLICATION", "1")),
)
