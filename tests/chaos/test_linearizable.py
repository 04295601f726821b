# SPDX-License-Identifier: Apache-2.0
"""The checker itself: it accepts what can be explained and refuses what cannot."""

import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import linearizable
from history import Operation


def op(kind, call, ret, status, version=None, value=None, if_match=None, seen=None):
    done = Operation("c", 1, kind, f"{kind}-{call}", call, value, if_match)
    if status is not None:
        done.ret, done.status, done.version, done.seen = ret, status, version, seen or value
    return done


CREATED = op("create", 0, 1, 200, 1, "a")


class Checker(unittest.TestCase):
    def accepts(self, *operations):
        self.assertIsNone(linearizable.check(list(operations)))

    def refuses(self, *operations):
        self.assertTrue(linearizable.check(list(operations)))

    def test_one_after_another(self):
        self.accepts(CREATED, op("get", 2, 3, 200, 1, seen="a"), op("put", 4, 5, 200, 2, "b"), op("delete", 6, 7, 204),
                     op("get", 8, 9, 404), op("create", 10, 11, 200, 4, "c"))

    def test_a_lost_write(self):
        self.refuses(CREATED, op("put", 2, 3, 200, 2, "b"), op("get", 4, 5, 200, 1, seen="a"))

    def test_a_stale_read_is_refused_and_one_meanwhile_is_not(self):
        write = op("put", 2, 6, 200, 2, "b")
        self.accepts(CREATED, write, op("get", 3, 4, 200, 1, seen="a"), op("get", 4.5, 5, 200, 2, seen="b"))
        self.refuses(CREATED, write, op("get", 3, 4, 200, 2, seen="b"), op("get", 4.5, 5, 200, 1, seen="a"))

    def test_an_effect_twice(self):
        self.refuses(CREATED, op("put", 2, 3, 200, 2, "b"), op("get", 4, 5, 200, 3, seen="b"))

    def test_two_creations_cannot_both_succeed(self):
        self.refuses(CREATED, op("create", 0.5, 2, 200, 1, "b"))
        self.accepts(CREATED, op("create", 0.5, 2, 400))

    def test_unknown_may_have_happened_late_or_never(self):
        unknown = op("put", 2, 0, None, value="b")
        self.accepts(CREATED, unknown, op("get", 3, 4, 200, 1, seen="a"))
        self.accepts(CREATED, unknown, op("get", 3, 4, 200, 1, seen="a"), op("get", 5, 6, 200, 2, seen="b"))
        self.refuses(CREATED, unknown, op("get", 3, 4, 200, 2, seen="b"), op("get", 5, 6, 200, 1, seen="a"))

    def test_preconditions(self):
        self.accepts(CREATED, op("put", 2, 3, 412, value="b", if_match=7), op("put", 4, 5, 200, 2, "b", if_match=1))
        self.refuses(CREATED, op("put", 2, 3, 412, value="b", if_match=1))

    def test_a_refusal_without_reason(self):
        self.refuses(CREATED, op("put", 2, 3, 404, value="b"))
        self.refuses(op("get", 0, 1, 200, 1, seen="a"))

    def test_random_histories_of_a_real_register_pass_and_a_changed_answer_does_not(self):
        for seed in range(40):
            chance, state, operations = random.Random(seed), linearizable.ABSENT, []
            for i in range(120):
                at = float(i)
                kind = chance.choice(["create", "put", "get", "delete"])
                done = op(kind, at - 3 * chance.random(), 0, None, value=f"v{i}" if kind in ("create", "put") else None)
                status, version, value, state = linearizable.apply(state, done)
                if chance.random() < 0.97:
                    done.ret, done.status, done.version, done.seen = at + 3 * chance.random(), status, version, value
                if done.status is not None or kind != "get":
                    operations.append(done)
            self.assertIsNone(linearizable.check(operations), seed)
            read = [o for o in operations if o.kind == "get" and o.status == 200]
            if read:
                read[-1].seen = "never written"
                self.assertTrue(linearizable.check(operations), seed)


if __name__ == "__main__":
    unittest.main()
