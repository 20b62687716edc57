# SPDX-License-Identifier: MIT
"""The Python package: each test is a function; prints TAP."""

import errno
import os
import sys
import tempfile
import threading
import time

import numatally as nt

RESOURCES = [
    ("requests", "", nt.COUNTER),
    ("memory", "bytes", nt.GAUGE),
    ("cores", "", nt.RESERVABLE),
]
REQUESTS, MEMORY, CORES = range(3)
directory = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
path = os.path.join(directory, "ledger")


def new(**options):
    if os.path.exists(path):
        os.unlink(path)
    return nt.Ledger.create(path, RESOURCES, **options)


def raises(number, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except nt.Error as error:
        assert error.errno == number, error
        assert isinstance(error, OSError)
        return error
    raise AssertionError("no error")


def refused(kind, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except kind:
        return
    raise AssertionError("%s%r%r: no error" % (call, arguments, named))


def adds_and_sums():
    with new() as ledger, ledger.view() as view:
        a = ledger.account("a")
        assert ledger.account("a") == a == ledger.find("a")
        for _ in range(10):
            ledger.add(a, REQUESTS, 2)
        node = view.nodes[0]
        ledger.add_each([(a, node, MEMORY, 7), (a, nt.LOCAL, REQUESTS, 1)] * 3)
        assert view.account(a) == [23, 21, 0], view.account(a)
        assert view.totals() == [23, 21, 0]
        assert view.account(a, node)[MEMORY] == 21
        assert view.resources[MEMORY] == ("memory", "bytes", nt.GAUGE)
        assert ledger.resource("cores") == CORES
        packed = nt.pack([(a, nt.LOCAL, REQUESTS, 1)] * 1000)
        ledger.add_each(packed)
        ledger.add_each(bytearray(packed))
        ledger.add_each(memoryview(packed))
        ledger.add_each([])
        assert view.totals()[REQUESTS] == 3023


def errors_have_the_librarys_words():
    with new() as ledger:
        a = ledger.account("a")
        e = raises(errno.EINVAL, ledger.add, a, REQUESTS, -1)
        assert "its kind does not allow this" in str(e), e
        assert e.function == "tally_ledger_add"
        e = raises(errno.EINVAL, ledger.add_each,
                   [(a, nt.LOCAL, REQUESTS, 1)] * 3 + [(a, nt.LOCAL, CORES, 1)])
        assert e.index == 3
        ledger.end(a)
        e = raises(errno.ESTALE, ledger.add, a, REQUESTS, 1)
        assert e.strerror == "the account is gone", e
        assert raises(errno.ENOENT, ledger.find, "none").strerror == "no such account"
    raises(errno.ENOENT, nt.Reader, path + "-none")
    try:
        ledger.add(a, REQUESTS, 1)
    except ValueError:
        return
    raise AssertionError("a closed ledger was added to")


def gauges_are_set():
    with new() as ledger, ledger.view() as view:
        a, node = ledger.account("a"), view.nodes[0]
        ledger.add(a, MEMORY, 5)
        ledger.gauge_set(a, node, MEMORY, 1 << 40)
        ledger.gauge_set(a, node, MEMORY, 100)
        assert view.account(a, node)[MEMORY] == 100
        raises(errno.EINVAL, ledger.gauge_set, a, node, REQUESTS, 1)


def reservations():
    with new() as ledger, ledger.view() as view:
        a, node = ledger.account("a"), view.nodes[0]
        ledger.set_capacity(node, CORES, 4)
        token = ledger.reserve(a, [(node, CORES, 3)])
        raises(errno.ENOSPC, ledger.reserve, ledger.account("b"), [(node, CORES, 2)])
        ledger.commit(token)
        raises(errno.EBUSY, ledger.cancel, token)
        assert view.account(a)[CORES] == 3
        ledger.release(token, [(node, CORES, 1)])
        ledger.release(token)
        raises(errno.ESTALE, ledger.release, token)
        ledger.cancel(ledger.reserve(a, [(node, CORES, 4)], lease_ns=10**9))
        assert view.totals() == [0, 0, 0]
        ledger.set_quota(a, CORES, 1)
        raises(errno.EDQUOT, ledger.reserve, a, [(node, CORES, 2)])
    with new(capacities=[(node, CORES, 2)]) as ledger:
        raises(errno.ENOSPC, ledger.reserve, ledger.account("a"), [(node, CORES, 3)])


def never_over_a_limit():
    over, granted = [], []
    with new() as ledger, ledger.view() as view:
        node = view.nodes[0]
        ledger.set_capacity(node, CORES, 10)

        def work(i):
            a = ledger.account("job-%d" % i)
            for _ in range(50):
                try:
                    token = ledger.reserve(a, [(node, CORES, 1 + i % 3)])
                except nt.Error as error:
                    assert error.errno == errno.ENOSPC
                    continue
                granted.append(i)
                if view.totals()[CORES] > 10:
                    over.append(i)
                ledger.release(token)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert granted and not over
        assert view.totals() == [0, 0, 0]


def a_whole_ledger_is_read():
    with new(max_accounts=1 << 16) as ledger, ledger.view() as view:
        node = view.nodes[0]
        accounts = [ledger.account("team-%d/job-%d" % (i % 3, i))
                    for i in range(20000)]
        ledger.add_each([(a, node, r, i + 1) for i, a in enumerate(accounts)
                         for r in (REQUESTS, MEMORY)])
        start = time.perf_counter()
        entries = view.read()
        took = time.perf_counter() - start
        assert len(entries) == 40000
        print("# read: %.0f ns an amount" % (took / len(entries) * 1e9))
        start = time.perf_counter()
        total = sum(entries.amounts)
        took = time.perf_counter() - start
        print("# summed: %.0f ns an amount" % (took / len(entries) * 1e9))
        assert total == 2 * sum(range(20001))
        start = time.perf_counter()
        listed = list(entries)
        took = time.perf_counter() - start
        print("# as tuples: %.0f ns an amount" % (took / len(entries) * 1e9))
        assert listed[2 * 77] == (*accounts[77], node, REQUESTS, 78)
        assert entries[2 * 77 + 1] == (accounts[77], node, MEMORY, 78)
        assert list(entries.nodes[:3]) == [node] * 3
        start = time.perf_counter()
        keys = view.keys()
        took = time.perf_counter() - start
        print("# keys: %.0f ns a key" % (took / len(keys) * 1e9))
        assert len(keys) == 20000 and keys[accounts[77]] == "team-2/job-77"
        some = view.read(prefix="team-1/", resource=MEMORY)
        assert len(some) == len(view.keys("team-1/")) == 6667
        assert set(some.resources) == {MEMORY}
        assert len(view.read(zeros=True)) == 20000 * 3 * len(view.nodes)
        assert view.key(accounts[5]) == "team-2/job-5"
        raises(errno.EINVAL, view.read, node=12345)


def snapshots_stand_still():
    with new() as ledger:
        a = ledger.account(b"\xff bytes".decode(errors="surrogateescape"))
        ledger.add(a, REQUESTS, 1)
        try:
            view = ledger.snapshot()
        except nt.Error as error:
            assert error.errno == errno.ENOSYS
            return
        ledger.add(a, REQUESTS, 1)
        assert view.totals()[REQUESTS] == 1
        assert view.info.epoch > 0
        assert list(view.keys().values()) == [os.fsdecode(b"\xff bytes")]
        raises(errno.EBUSY, ledger.snapshot)
        with ledger.snapshot(join=True) as same:
            assert same.info.epoch == view.info.epoch
        with ledger.view() as live:
            assert live.info is None and live.totals()[REQUESTS] == 2
    # The ledger has closed the view.
    try:
        view.totals()
    except ValueError:
        return
    raise AssertionError("a closed view was read")


def readers():
    with new() as ledger:
        ledger.add(ledger.account("a"), REQUESTS, 6)
        with nt.Reader(path) as reader:
            with reader.view() as view:
                assert view.totals()[REQUESTS] == 6
            raises(errno.ESRCH, reader.snapshot)
            ledger.serve()
            with reader.snapshot(timeout=60) as view:
                ledger.add(ledger.find("a"), REQUESTS, 1)
                assert [e[4] for e in view.read()] == [6]
    with nt.Ledger(path) as ledger:
        assert ledger.find("a")
    with nt.Ledger.open_or_create(path, RESOURCES) as ledger:
        assert ledger.find("a")
    assert nt.find(path) == nt.path(path) == path


def a_cut_file_is_an_error():
    with new() as ledger:
        ledger.add(ledger.account("a"), REQUESTS, 6)
        with nt.Reader(path) as reader, reader.view() as view:
            assert len(view.read()) == 1
            os.truncate(path, 0)
            raises(errno.EBADMSG, view.read)
            raises(errno.EBADMSG, view.totals)
            raises(errno.EBADMSG, view.keys)


WIDE = (2**32, -(2**32), 2**31 + 2**32, 2**64 + 5)
WIDER = (2**63, -(2**63) - 1, 2**64 + 5)


def rows_that_do_not_fit():
    with new() as ledger, ledger.view() as view:
        a, node = ledger.account("a"), view.nodes[0]
        for row in [(n, a[1]) for n in WIDE] + [(a[0], n) for n in WIDE]:
            for call, *rest in (
                (ledger.add, REQUESTS, 1),
                (ledger.gauge_set, node, MEMORY, 1),
                (ledger.set_quota, CORES, 1),
                (ledger.reserve, [(node, CORES, 1)]),
                (ledger.end,),
                (view.account,),
                (view.key,),
            ):
                refused(OverflowError, call, row, *rest)
            refused(OverflowError, ledger.add_each, [(row, node, REQUESTS, 1)])
        token = ledger.reserve(a, [(node, CORES, 1)])
        for row in [(n, token[1]) for n in WIDE] + [(token[0], token[1] + 2**64)]:
            for call in (ledger.commit, ledger.cancel, ledger.release):
                refused(OverflowError, call, row)
        ledger.cancel(token)


def nodes_and_resources_that_do_not_fit():
    with new() as ledger, ledger.view() as view:
        a, node = ledger.account("a"), view.nodes[0]
        token = ledger.reserve(a, [(node, CORES, 1)])
        for n in WIDE:
            refused(OverflowError, ledger.add, a, n, 1)
            refused(OverflowError, ledger.add_each, [(a, n, REQUESTS, 1)])
            refused(OverflowError, nt.pack, [(a, node, n, 1)])
            refused(OverflowError, ledger.gauge_set, a, n, MEMORY, 1)
            refused(OverflowError, ledger.gauge_set, a, node, n, 1)
            refused(OverflowError, ledger.set_capacity, n, CORES, 1)
            refused(OverflowError, ledger.set_capacity, node, n, 1)
            refused(OverflowError, ledger.set_quota, a, n, 1)
            for demands in ([(n, CORES, 1)], [(node, n, 1)]):
                refused(OverflowError, ledger.reserve, a, demands)
                refused(OverflowError, ledger.release, token, demands)
                refused(OverflowError, nt.Ledger.create, None, RESOURCES,
                        capacities=demands)
            refused(OverflowError, view.totals, n)
            refused(OverflowError, view.account, a, n)
            refused(OverflowError, view.read, node=n)
            refused(OverflowError, view.read, resource=n)


def amounts_that_do_not_fit():
    with new() as ledger, ledger.view() as view:
        a, node = ledger.account("a"), view.nodes[0]
        token = ledger.reserve(a, [(node, CORES, 1)])
        for n in WIDER:
            refused(OverflowError, ledger.add, a, REQUESTS, n)
            refused(OverflowError, ledger.add_each, [(a, node, REQUESTS, n)])
            refused(OverflowError, ledger.gauge_set, a, node, MEMORY, n)
            refused(OverflowError, ledger.set_capacity, node, CORES, n)
            refused(OverflowError, ledger.set_quota, a, CORES, n)
            refused(OverflowError, ledger.reserve, a, [(node, CORES, n)])
            refused(OverflowError, ledger.reserve, a, [], lease_ns=n)
            refused(OverflowError, ledger.release, token, [(node, CORES, n)])
            refused(OverflowError, ledger.serve, n)
            refused(OverflowError, ledger.snapshot, timeout=n)
            refused(OverflowError, nt.Ledger.create, None, RESOURCES,
                    capacities=[(node, CORES, n)])


def options_that_do_not_fit():
    for n in WIDE:
        for option in ("max_accounts", "max_key_bytes", "mode", "exclusive",
                       "nr_spare", "few_adds"):
            refused(OverflowError, nt.Ledger.create, None, RESOURCES, **{option: n})
        refused(OverflowError, nt.Ledger.create, None, [("a", "", n)])


def the_greatest_numbers_fit():
    with new() as ledger, ledger.view() as view:
        a, node = ledger.account("a"), view.nodes[0]
        ledger.set_capacity(node, CORES, 2**63 - 1)
        ledger.add(a, REQUESTS, 2**63 - 1)
        ledger.gauge_set(a, node, MEMORY, -(2**63))
        assert view.account(a) == [2**63 - 1, -(2**63), 0], view.account(a)
        raises(errno.EINVAL, ledger.add, a, 2**32 - 1, 1)
        raises(errno.ENOENT, ledger.set_capacity, 2**31 - 1, CORES, 1)
        raises(errno.ENOENT, ledger.set_capacity, -(2**31), CORES, 1)
        raises(errno.EINVAL, ledger.set_capacity, node, 2**32 - 1, 1)
        raises(errno.ESTALE, ledger.add, (a[0], 2**32 - 1), REQUESTS, 1)
        raises(errno.ESTALE, ledger.commit, (a[0], 2**64 - 1))


def what_is_no_number():
    with new() as ledger, ledger.view() as view:
        a, node = ledger.account("a"), view.nodes[0]
        for what in (1.5, "1", None):
            refused(TypeError, ledger.add, a, what, 1)
            refused(TypeError, ledger.add, a, REQUESTS, what)
            refused(TypeError, ledger.add_each, [(a, node, REQUESTS, what)])
            refused(TypeError, ledger.gauge_set, a, what, MEMORY, 1)
            refused(TypeError, ledger.gauge_set, a, node, MEMORY, what)
            refused(TypeError, ledger.reserve, a, [(node, CORES, what)])
        refused(ValueError, ledger.reserve, a, [(node, CORES)])
        assert view.totals() == [0, 0, 0]


def options_that_do_not_exist():
    for call in (nt.Ledger.create, nt.Ledger.open_or_create):
        for option in ("max_acounts", "size", "quotas", "nr_capacities"):
            refused(TypeError, call, path + "-none", RESOURCES, **{option: 100})
        assert not os.path.exists(path + "-none")


def texts_with_a_nul():
    with new() as ledger, ledger.view() as view:
        a = ledger.account("a")
        for call in (ledger.account, ledger.find, ledger.resource, view.read,
                     view.keys, nt.find, nt.path):
            for text in ("a\0b", "requests\0", "\0"):
                refused(ValueError, call, text)
        for call in (nt.Ledger, nt.Reader):
            refused(ValueError, call, path + "\0b")
        for resource in (("a\0b", "", nt.COUNTER), ("a", "b\0", nt.COUNTER)):
            refused(ValueError, nt.Ledger.create, None, [resource])
        for call in (nt.Ledger.create, nt.Ledger.open_or_create):
            refused(ValueError, call, path + "-b\0c", RESOURCES)
            refused(ValueError, call, None, RESOURCES, root="/\0")
        assert list(view.keys()) == [a]
    assert not os.path.exists(path + "-b")


def too_many_demands():
    with new() as ledger, ledger.view() as view:
        a, demand = ledger.account("a"), (view.nodes[0], CORES, 1)
        token = ledger.reserve(a, [demand] * nt.MAX_DEMANDS)
        too = [demand] * (nt.MAX_DEMANDS + 1)
        refused(ValueError, ledger.reserve, ledger.account("b"), too)
        refused(ValueError, ledger.release, token, too)
        assert view.totals()[CORES] == nt.MAX_DEMANDS
        ledger.release(token, too[1:])


tests = [
    adds_and_sums,
    errors_have_the_librarys_words,
    gauges_are_set,
    reservations,
    never_over_a_limit,
    a_whole_ledger_is_read,
    snapshots_stand_still,
    readers,
    a_cut_file_is_an_error,
    rows_that_do_not_fit,
    nodes_and_resources_that_do_not_fit,
    amounts_that_do_not_fit,
    options_that_do_not_fit,
    the_greatest_numbers_fit,
    what_is_no_number,
    options_that_do_not_exist,
    texts_with_a_nul,
    too_many_demands,
]
failed = 0
print("1..%d" % len(tests))
try:
    for number, test in enumerate(tests, 1):
        try:
            test()
            print("ok %d - %s" % (number, test.__name__))
        except Exception:  # pylint: disable=broad-except
            import traceback

            failed += 1
            print("not ok %d - %s" % (number, test.__name__))
            print("# " + traceback.format_exc().replace("\n", "\n# "))
finally:
    if os.path.exists(path):
        os.unlink(path)
    os.rmdir(directory)
sys.exit(failed > 0)
