# SPDX-License-Identifier: Apache-2.0
"""Many callers at the same time."""

import threading


def at_once(count, work):
    """work(number) on `count` threads; what they returned, in order of number. A thread's exception is the caller's."""
    results, faults = [None] * count, []

    def run(number):
        try:
            results[number] = work(number)
        except BaseException as fault:  # pylint: disable=broad-except
            faults.append(fault)
    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return results
