# SPDX-License-Identifier: Apache-2.0
"""Is the history of one item linearizable? The search of Wing and Gong with Lowe's memory of configurations seen.

An operation has: `call`, `ret` (times; ret is infinity where no answer came), `kind`, what was asked (`value`,
`if_match`) and what was seen (`status`, `version`, `seen`). One without an answer (status None) may take effect at any
time after its call, or never. Operations that are known to have failed without effect are not part of the history.
"""

import math

ABSENT = (False, 0, None)  # exists, version, value


class Undecided(Exception):
    """The search was given up after `steps` configurations."""


def apply(state, op):
    """What the item service would do: (status, version, value seen, state after)."""
    exists, version, value = state
    if op.kind == "get":
        return (200, version, value, state) if exists else (404, None, None, state)
    if op.kind == "create":
        if exists:
            return 400, None, None, state
        return 200, version + 1, op.value, (True, version + 1, op.value)
    if not exists:
        return 404, None, None, state
    if op.if_match is not None and op.if_match != version:
        return 412, None, None, state
    if op.kind == "put":
        return 200, version + 1, op.value, (True, version + 1, op.value)
    return 204, None, None, (False, version + 1, None)  # delete


def fits(op, outcome):
    status, version, value, _ = outcome
    if op.status is None:
        return True
    if op.status != status:
        return False
    return status != 200 or ((op.version is None or op.version == version) and op.seen == value)


def latest_start(op):
    """The highest version the item may be at when the operation takes effect; versions never go back."""
    if op.status is None or op.version is None:
        return math.inf
    return op.version if op.kind == "get" else op.version - 1


def check(operations, steps=100_000):
    """None, or the operations around the point where no order explains what was seen. Raises Undecided."""
    ops = sorted(operations, key=lambda op: op.call)
    total = len(ops)
    certain = sum(1 << i for i, op in enumerate(ops) if op.status is not None)
    seen = set()
    stack = [(0, ABSENT, 0)]  # linearized as a bit mask, the state, the first operation that is not linearized
    furthest, furthest_mask = -1, 0
    while stack:
        mask, state, first = stack.pop()
        while first < total and mask >> first & 1:
            first += 1
        if mask & certain == certain:
            return None
        if (mask, state) in seen:
            continue
        seen.add((mask, state))
        if len(seen) > steps:
            raise Undecided(f"{total} operations, {steps} configurations")
        if first > furthest:
            furthest, furthest_mask = first, mask
        stack += candidates(ops, mask, state, first)
    return around(ops, furthest_mask)


def candidates(ops, mask, state, first):
    """Every operation that may come next: called before any other one that is left had returned. The best guess comes last."""
    limit = math.inf
    unknown, known = [], []
    for i in range(first, len(ops)):
        if mask >> i & 1:
            continue
        op = ops[i]
        if op.call > limit:
            break
        limit = min(limit, op.ret)
        if state[1] > latest_start(op):
            return []  # it has been left behind
        outcome = apply(state, op)
        if not fits(op, outcome):
            continue
        if op.status is not None:
            known.append((mask | 1 << i, outcome[3], first))
        elif outcome[3] != state:  # one without effect need never be placed
            unknown.append((mask | 1 << i, outcome[3], first))
    return unknown + known[::-1]


def around(ops, mask):
    left = [op for i, op in enumerate(ops) if not mask >> i & 1]
    placed = [op for i, op in enumerate(ops) if mask >> i & 1]
    return placed[-6:] + left[:12]
