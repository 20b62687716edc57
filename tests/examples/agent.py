# SPDX-License-Identifier: MIT
"""A monitoring agent: once a second (argv[2] times; else for ever) it prints what is
in the ledger argv[1] at one moment. It needs read permission alone."""

import errno
import itertools
import sys
import time

import numatally


def snapshot(reader):
    try:
        return reader.snapshot(join=True)
    except numatally.Error as error:
        if error.errno != errno.ESRCH:  # no writer serves
            raise
        return reader.view()


def main(name, times=None):
    with numatally.Reader(numatally.find(name)) as reader:
        for n in range(int(times)) if times else itertools.count():
            if n:
                time.sleep(1)
            with snapshot(reader) as view:
                keys = view.keys()
                for row, generation, node, resource, amount in view.read():
                    print("%s: node %d: %d %s" % (
                        keys.get((row, generation), "?"), node, amount,
                        view.resources[resource].name), flush=True)


try:
    main(*sys.argv[1:])
except numatally.Error as failed:
    sys.exit("agent: %s" % failed.strerror)
