# SPDX-License-Identifier: Apache-2.0
"""What must hold after the load, whatever went wrong meanwhile."""

import math
import uuid

from confluent_kafka import Consumer, TopicPartition

import linearizable
from kafka_client import ends

CLAIM = b"__claim/"
OTHERS = (b"__attempts/", b"__left")  # counts, and that an owner left: they say nothing about an item
LATE = 0.1  # seconds an answer may come after its deadline


def read_events(bootstrap):
    """The valid events of item.events by the rule that any reader knows: [(partition, offset, key, headers)]; void ones counted."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "enable.auto.commit": False})
    count = len(consumer.list_topics("item.events", timeout=20).topics["item.events"].partitions)
    valid, void = [], 0
    for p in range(count):
        low, high = ends(consumer, "item.events", p, 60)
        consumer.assign([TopicPartition("item.events", p, low)])
        claim, at = None, low
        while at < high:
            message = consumer.poll(20)
            if message is None:
                raise AssertionError(f"item.events/{p} cannot be read from {at} to {high}")
            if message.error():
                continue
            at, key, headers = message.offset() + 1, message.key() or b"", dict(message.headers() or [])
            if key.startswith(CLAIM):
                claim = key[len(CLAIM):] if message.value() is not None else claim
            elif key.startswith(OTHERS):
                continue
            elif claim is not None and headers.get("ce_claim") == claim:
                valid.append((p, message.offset(), int(key), headers))
            else:
                void += 1
    consumer.close()
    return valid, void


def check_log(history, bootstrap):
    """Versions without a gap, one effect a command, and every acknowledged write is there. Counts."""
    valid, void = read_events(bootstrap)
    versions, effects = {}, {}
    for partition, offset, key, headers in valid:
        version, before, id = int(headers["ce_version"]), versions.get(key, 0), headers.get("ce_id", b"").decode()
        if version not in (before, before + 1):
            history.violation(f"item.events/{partition} at {offset}: item {key} went from version {before} to {version}")
        if version > before:
            if id in effects:
                history.violation(f"item.events/{partition} at {offset}: command {id} takes effect again")
            effects[id] = version
        versions[key] = version
    check_effects(history, effects, versions)
    return len(valid), void


def check_effects(history, effects, versions):
    written = {}
    for id, version in effects.items():
        written[id[id.rindex(":") + 1:] if id.startswith("idem:") else id] = version
    known = {}
    for op in history.operations:
        if op.kind == "get" or op.status is None:
            continue
        done = op.status in (200, 204)
        if done and op.id not in written:
            history.violation("an acknowledged write is not in the log", [op])
        elif done and op.version and written[op.id] != op.version:
            history.violation(f"answered with version {op.version}, in the log it is {written[op.id]}", [op])
        elif not done and op.id in written:
            history.violation("a refused write took effect", [op])
        known[op.key] = known.get(op.key, 0) + done
    for op in history.operations:  # the number of effects is the version
        if op.client == "final" and op.status == 200 and op.version != versions.get(op.key, 0):
            history.violation(f"in the end item {op.key} is at version {op.version}, by its events at {versions.get(op.key)}", [op])
        if op.client == "final" and op.status == 200 and op.version < known.get(op.key, 0):
            history.violation(f"item {op.key}: {known[op.key]} acknowledged writes, version {op.version}", [op])


def check_histories(history, enough=math.inf):
    """Stops after `enough` violations."""
    for key, operations in sorted(history.by_key().items()):
        if len(history.violations) >= enough:
            return
        try:
            culprits = linearizable.check(operations)
        except linearizable.Undecided as undecided:
            history.violation(f"item {key}: undecided: {undecided}")
            continue
        if culprits:
            history.violation(f"item {key}: no order of its {len(operations)} operations explains what was seen", culprits)


def check_deadlines(history):
    for over, id in history.late:
        if over > LATE:
            history.violation(f"answered {over:.3f} s after the deadline ({id})")
