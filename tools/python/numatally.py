# SPDX-License-Identifier: MIT
"""Ledgers of numatally from Python: the library, by ctypes.

    import numatally

    with numatally.Ledger.create(path, [("requests", "", numatally.COUNTER)]) as l:
        job = l.account("batch/job-42")
        l.add(job, 0, 1)
        with l.view() as view:
            print(view.account(job))

A call takes about a microsecond, so many adds and many amounts go in one call:
Ledger.add_each() and View.read(). What a function does, and which errors it has,
says the manual page of the C function that its description names.

The library is the libnumatally.so.0 that the dynamic linker finds, or the file
that $NUMATALLY_LIBRARY names. Objects can be used by several threads, but close()
by one when no other uses it. Close views before their ledger or reader, which
with statements do; a ledger closes what is left of them.
"""

import ctypes as _c
import errno as _errno
import os as _os
import struct as _struct
import weakref as _weakref
from collections import namedtuple as _namedtuple

COUNTER, GAUGE, RESERVABLE = 1, 2, 3
LOCAL = -1  # as a node: that of the CPU
ALL = -1  # as a node or resource in a view: all of them

Account = _namedtuple("Account", "row generation")
Resource = _namedtuple("Resource", "name unit kind")
Token = _namedtuple("Token", "row generation")
Demand = _namedtuple("Demand", "node resource amount")
Entry = _namedtuple("Entry", "account node resource amount")
SnapshotInfo = _namedtuple("SnapshotInfo", "epoch nr_in_doubt taken_ns age_ns")

_ENTRY = _struct.Struct("=IIiIq")
_KEY = _struct.Struct("=IIII")
_BATCH = 16384  # entries of one call: 384 KiB


class Error(OSError):
    """A function of the library failed: errno, and the library's words."""

    def __init__(self, function, err):
        words = _lib.tally_strerror_of(function.encode(), err).decode()
        super().__init__(-err, words)
        self.function = function


# ---- the C library -------------------------------------------------------------


class _Account(_c.Structure):
    _fields_ = [("row", _c.c_uint32), ("generation", _c.c_uint32)]


class _Resource(_c.Structure):
    _fields_ = [("name", _c.c_char_p), ("unit", _c.c_char_p), ("kind", _c.c_int)]


class _Options(_c.Structure):
    _fields_ = [
        ("size", _c.c_size_t),
        ("max_accounts", _c.c_uint32),
        ("max_key_bytes", _c.c_uint32),
        ("mode", _c.c_uint),
        ("exclusive", _c.c_int),
        ("capacities", _c.c_void_p),
        ("nr_capacities", _c.c_uint),
        ("nr_quotas", _c.c_uint),
        ("quotas", _c.c_void_p),
        ("nr_spare", _c.c_uint32),
        ("few_adds", _c.c_int),
    ]


class _Capacity(_c.Structure):
    _fields_ = [
        ("node", _c.c_int),
        ("resource", _c.c_uint),
        ("capacity", _c.c_int64),
    ]


class _Demand(_c.Structure):
    _fields_ = [("node", _c.c_int), ("resource", _c.c_uint), ("amount", _c.c_int64)]


class _Request(_c.Structure):
    _fields_ = [
        ("size", _c.c_size_t),
        ("demands", _c.POINTER(_Demand)),
        ("nr_demands", _c.c_uint),
        ("lease_ns", _c.c_int64),
    ]


class _Token(_c.Structure):
    _fields_ = [("row", _c.c_uint32), ("generation", _c.c_uint64)]


class _Filter(_c.Structure):
    _fields_ = [
        ("size", _c.c_size_t),
        ("prefix", _c.c_char_p),
        ("node", _c.c_int),
        ("resource", _c.c_int),
        ("zeros", _c.c_int),
    ]


class _Info(_c.Structure):
    _fields_ = [
        ("size", _c.c_size_t),
        ("epoch", _c.c_uint64),
        ("nr_in_doubt", _c.c_uint64),
        ("taken_ns", _c.c_int64),
        ("age_ns", _c.c_int64),
    ]


class _Key(_c.Structure):
    _fields_ = [
        ("account", _Account),
        ("offset", _c.c_uint32),
        ("bytes", _c.c_uint32),
    ]


def _load():
    lib = _c.CDLL(_os.environ.get("NUMATALLY_LIBRARY", "libnumatally.so.0"))
    p, i, u, n, q = _c.c_void_p, _c.c_int, _c.c_uint, _c.c_size_t, _c.c_int64
    s, at = _c.c_char_p, _c.POINTER
    for name, result, *arguments in (
        ("tally_strerror_of", s, s, i),
        ("tally_topo_open", i, s, p),
        ("tally_topo_close", None, p),
        ("tally_ledger_create", i, s, p, p, u, p, p),
        ("tally_ledger_open", i, s, p),
        ("tally_ledger_open_or_create", i, s, p, p, u, p, p, p),
        ("tally_ledger_close", None, p),
        ("tally_ledger_find", i, s, s, n),
        ("tally_ledger_path", i, s, s, n),
        ("tally_ledger_accounts", p, p),
        ("tally_ledger_resource", i, p, s),
        ("tally_ledger_serve", i, p, q),
        ("tally_ledger_add", i, p, _Account, u, q),
        ("tally_ledger_add_each", i, p, p, n, p),
        ("tally_gauge_set", i, p, _Account, i, u, q),
        ("tally_account_open", i, p, s, p),
        ("tally_account_find", i, p, s, p),
        ("tally_account_end", i, p, _Account),
        ("tally_account_key", i, p, _Account, s, n),
        ("tally_account_key_bytes", n, p),
        ("tally_limit_set_capacity", i, p, i, u, q),
        ("tally_limit_set_quota", i, p, _Account, u, q),
        ("tally_limit_reserve", i, p, _Account, p, p, p),
        ("tally_limit_commit", i, p, _Token),
        ("tally_limit_cancel", i, p, _Token),
        ("tally_limit_release", i, p, _Token, p, u),
        ("tally_reader_open", i, s, p),
        ("tally_reader_close", None, p),
        ("tally_reader_view", i, p, p),
        ("tally_reader_snapshot", i, p, u, q, p),
        ("tally_view_open", i, p, p),
        ("tally_view_snapshot", i, p, u, q, p),
        ("tally_view_snapshot_info", at(_Info), p),
        ("tally_view_close", None, p),
        ("tally_view_accounts", p, p),
        ("tally_view_nr_nodes", u, p),
        ("tally_view_node", i, p, u),
        ("tally_view_nr_resources", u, p),
        ("tally_view_resource", at(_Resource), p, u),
        ("tally_view_totals", i, p, i, p),
        ("tally_view_account", i, p, _Account, i, p),
        ("tally_view_read", i, p, p, p, p, n, p),
        ("tally_view_keys", i, p, s, p, p, n, p, n, p),
    ):
        function = getattr(lib, name)
        function.restype = result
        function.argtypes = arguments
    return lib


_lib = _load()


def _call(name, *arguments):
    result = getattr(_lib, name)(*arguments)
    if result < 0:
        raise Error(name, result)
    return result


def _path_of(name, path):
    text = _c.create_string_buffer(_os.pathconf("/", "PC_PATH_MAX"))
    _call(name, _os.fsencode(path), text, len(text))
    return _os.fsdecode(text.value)


def find(name):
    """The path of an existing ledger (tally_ledger_find(3))."""
    return _path_of("tally_ledger_find", name)


def path(name):
    """The path of the ledger with this name (tally_ledger_path(3))."""
    return _path_of("tally_ledger_path", name)


# ---- handles -------------------------------------------------------------------


class _Handle:
    """A pointer that is closed once, after what belongs to it."""

    def __init__(self, pointer, close, owner=None):
        self._pointer = pointer
        self._close = close
        self._owner = owner  # lives as long as this
        self._owned = _weakref.WeakSet()
        if owner:
            owner._owned.add(self)

    @property
    def _at(self):
        if not self._pointer:
            raise ValueError("it is closed")
        return self._pointer

    def close(self):
        """Close it, and what was opened of it. Closing twice does nothing."""
        for owned in list(self._owned):
            owned.close()
        pointer, self._pointer = self._pointer, None
        if pointer:
            self._close(pointer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        if getattr(self, "_pointer", None):
            self.close()


def _resources(resources):
    array = (_Resource * len(resources))()
    for to, (name, unit, kind) in zip(array, resources):
        to.name, to.unit, to.kind = name.encode(), unit.encode(), kind
    return array


def _request(demands, lease_ns):
    array = (_Demand * len(demands))(*map(tuple, demands))
    return _Request(_c.sizeof(_Request), array, len(demands), lease_ns)


def pack(entries):
    """The bytes of entries, each (account, node, resource, amount), as
    Ledger.add_each() takes them: for entries that are added again and again."""
    return b"".join(
        _ENTRY.pack(a[0], a[1], node, resource, amount)
        for a, node, resource, amount in entries
    )


class Ledger(_Handle):
    """A ledger that is open for writing (tally_ledger(3))."""

    def __init__(self, path):
        """Open the ledger at the path."""
        pointer = _c.c_void_p()
        _call("tally_ledger_open", _os.fsencode(path), _c.byref(pointer))
        self._adopt(pointer)

    def _adopt(self, pointer):
        super().__init__(pointer, _lib.tally_ledger_close)
        self._accounts = _lib.tally_ledger_accounts(pointer)

    @classmethod
    def create(cls, path, resources, root=None, capacities=(), **options):
        """Create a ledger; path None: one without a name. resources: of (name,
        unit, kind). root: a captured machine. capacities: of (node, resource,
        capacity). options: max_accounts, max_key_bytes, mode, exclusive,
        nr_spare, few_adds."""
        return cls._create("tally_ledger_create", path, resources, root,
                           capacities, options)

    @classmethod
    def open_or_create(cls, path, resources, root=None, capacities=(), **options):
        """Open the ledger at the path if it can be used; else create it."""
        return cls._create("tally_ledger_open_or_create", path, resources, root,
                           capacities, options, None)

    @classmethod
    def _create(cls, name, path, resources, root, capacities, options, *why):
        topo, pointer = _c.c_void_p(), _c.c_void_p()
        limits = (_Capacity * len(capacities))(*map(tuple, capacities))
        o = _Options(size=_c.sizeof(_Options), nr_capacities=len(capacities),
                     capacities=_c.cast(limits, _c.c_void_p), **options)
        _call("tally_topo_open", root and _os.fsencode(root), _c.byref(topo))
        try:
            _call(name, None if path is None else _os.fsencode(path), topo,
                  _resources(resources), len(resources), _c.byref(o),
                  _c.byref(pointer), *why)
        finally:
            _lib.tally_topo_close(topo)
        self = cls.__new__(cls)
        self._adopt(pointer)
        return self

    def resource(self, name):
        """The number of the resource with this name."""
        return _call("tally_ledger_resource", self._at, name.encode())

    def _account_of(self, name, key):
        found = _Account()
        self._at
        _call(name, self._accounts, _os.fsencode(key), _c.byref(found))
        return Account(found.row, found.generation)

    def account(self, key):
        """Find the account with this key, or add it."""
        return self._account_of("tally_account_open", key)

    def find(self, key):
        """Find the account with this key."""
        return self._account_of("tally_account_find", key)

    def end(self, account):
        """End the account."""
        self._at
        _call("tally_account_end", self._accounts, _Account(*account))

    def add(self, account, resource, amount):
        """Add to the account, for this CPU's node (tally_ledger_add(3))."""
        _call("tally_ledger_add", self._at, _Account(*account), resource, amount)

    def add_each(self, entries):
        """Add many amounts, each by itself (tally_ledger_add_each(3)). entries:
        of (account, node, resource, amount), or what pack() made of them. An
        Error has the index of the entry that failed in its member index; those
        before it are added."""
        if not isinstance(entries, (bytes, bytearray, memoryview)):
            entries = pack(entries)
        raw = memoryview(entries).cast("B")
        if len(raw) % _ENTRY.size:
            raise ValueError("not a whole number of entries")
        if raw.readonly:
            held = bytes(raw)
            at = _c.cast(_c.c_char_p(held), _c.c_void_p)
        else:
            at = (_c.c_char * len(raw)).from_buffer(raw)
        nr = _c.c_size_t()
        try:
            _call("tally_ledger_add_each", self._at, at, len(raw) // _ENTRY.size,
                  _c.byref(nr))
        except Error as error:
            error.index = nr.value
            raise

    def gauge_set(self, account, node, resource, amount):
        """Set a gauge (tally_gauge_set(3))."""
        _call("tally_gauge_set", self._at, _Account(*account), node, resource,
              amount)

    def set_capacity(self, node, resource, capacity):
        """Limit what can be reserved on a node."""
        _call("tally_limit_set_capacity", self._at, node, resource, capacity)

    def set_quota(self, account, resource, quota):
        """Limit what an account, and those below it, can reserve."""
        _call("tally_limit_set_quota", self._at, _Account(*account), resource,
              quota)

    def reserve(self, account, demands, lease_ns=0):
        """Reserve demands, each (node, resource, amount): all or none. Return the
        token (tally_limit_reserve(3))."""
        token = _Token()
        request = _request(demands, lease_ns)
        _call("tally_limit_reserve", self._at, _Account(*account),
              _c.byref(request), _c.byref(token), None)
        return Token(token.row, token.generation)

    def commit(self, token):
        """Commit a reservation."""
        _call("tally_limit_commit", self._at, _Token(*token))

    def cancel(self, token):
        """Cancel a reservation that is not committed."""
        _call("tally_limit_cancel", self._at, _Token(*token))

    def release(self, token, demands=()):
        """Release a reservation, or these demands of it."""
        array = (_Demand * len(demands))(*map(tuple, demands))
        _call("tally_limit_release", self._at, _Token(*token), array,
              len(demands))

    def serve(self, keep_ns=0):
        """Take snapshots for readers (tally_ledger_serve(3))."""
        _call("tally_ledger_serve", self._at, keep_ns)

    def view(self):
        """Open a live view."""
        return View(self, "tally_view_open")

    def snapshot(self, join=False, timeout=1.0):
        """Take a snapshot and open a view of it; timeout in seconds."""
        return View(self, "tally_view_snapshot", int(join), int(timeout * 1e9))


class Reader(_Handle):
    """A ledger of another process, open for reading (tally_reader(3))."""

    def __init__(self, path):
        pointer = _c.c_void_p()
        _call("tally_reader_open", _os.fsencode(path), _c.byref(pointer))
        super().__init__(pointer, _lib.tally_reader_close)

    def view(self):
        """Open a live view."""
        return View(self, "tally_reader_view")

    def snapshot(self, join=False, timeout=1.0):
        """Open a view of a snapshot, which a process that serves takes."""
        return View(self, "tally_reader_snapshot", int(join), int(timeout * 1e9))


class Entries:
    """Amounts as flat records (struct tally_entry of numatally/ledger.h).

    raw is the bytes of them, and rows, generations, nodes, resources and amounts
    are views of one member of each, which copy nothing. Iterating makes a tuple
    (row, generation, node, resource, amount) of each record."""

    def __init__(self, raw):
        whole = memoryview(raw)
        self.raw = whole
        self.rows = whole.cast("I")[0::6]
        self.generations = whole.cast("I")[1::6]
        self.nodes = whole.cast("i")[2::6]
        self.resources = whole.cast("I")[3::6]
        self.amounts = whole.cast("q")[2::3]

    def __len__(self):
        return len(self.raw) // _ENTRY.size

    def __iter__(self):
        return _ENTRY.iter_unpack(self.raw)

    def __getitem__(self, index):
        return Entry(Account(self.rows[index], self.generations[index]),
                     self.nodes[index], self.resources[index],
                     self.amounts[index])


class View(_Handle):
    """The amounts of a ledger, live or of a snapshot (tally_view(3)). Ledger and
    Reader open it."""

    def __init__(self, owner, name, *arguments):
        pointer = _c.c_void_p()
        _call(name, owner._at, *arguments, _c.byref(pointer))
        super().__init__(pointer, _lib.tally_view_close, owner)
        at = pointer
        self.nodes = [_lib.tally_view_node(at, i)
                      for i in range(_lib.tally_view_nr_nodes(at))]
        self.resources = []
        for i in range(_lib.tally_view_nr_resources(at)):
            r = _lib.tally_view_resource(at, i).contents
            self.resources.append(
                Resource(r.name.decode(), r.unit.decode(), r.kind))

    @property
    def info(self):
        """Facts of the snapshot; None: the view is live."""
        info = _lib.tally_view_snapshot_info(self._at)
        if not info:
            return None
        i = info.contents
        return SnapshotInfo(i.epoch, i.nr_in_doubt, i.taken_ns, i.age_ns)

    def _sums(self, name, *arguments):
        amounts = (_c.c_int64 * len(self.resources))()
        _call(name, self._at, *arguments, amounts)
        return list(amounts)

    def totals(self, node=ALL):
        """The sums over all accounts, by resource."""
        return self._sums("tally_view_totals", node)

    def account(self, account, node=ALL):
        """The amounts of an account, by resource."""
        return self._sums("tally_view_account", _Account(*account), node)

    def key(self, account):
        """The key of an account that exists."""
        accounts = _lib.tally_view_accounts(self._at)
        text = _c.create_string_buffer(_lib.tally_account_key_bytes(accounts))
        _call("tally_account_key", accounts, _Account(*account), text, len(text))
        return _os.fsdecode(text.value)

    def batches(self, prefix=None, node=ALL, resource=ALL, zeros=False):
        """Read amounts, and yield them as Entries of some thousands
        (tally_view_read(3)). An account's entries are in the same one."""
        f = _Filter(_c.sizeof(_Filter),
                    None if prefix is None else _os.fsencode(prefix), node,
                    resource, zeros)
        max_nr, cursor, nr = _BATCH, _c.c_uint64(), _c.c_size_t()
        buffer = _c.create_string_buffer(max_nr * _ENTRY.size)
        while True:
            err = _lib.tally_view_read(self._at, _c.byref(f), _c.byref(cursor),
                                       buffer, max_nr, _c.byref(nr))
            if err == -_errno.ENOENT:
                return
            if err == -_errno.ERANGE:
                max_nr *= 2
                buffer = _c.create_string_buffer(max_nr * _ENTRY.size)
                continue
            if err:
                raise Error("tally_view_read", err)
            yield Entries(memoryview(buffer).cast("B")[: nr.value * _ENTRY.size]
                          .tobytes())

    def read(self, prefix=None, node=ALL, resource=ALL, zeros=False):
        """Read amounts, those that are 0 with zeros alone, as Entries."""
        return Entries(b"".join(
            e.raw for e in self.batches(prefix, node, resource, zeros)))

    def keys(self, prefix=None):
        """The keys of the accounts, as a dictionary by (row, generation), which an
        Account equals (tally_view_keys(3))."""
        found = {}
        max_nr = 4096
        keys, cursor, nr = (_Key * max_nr)(), _c.c_uint64(), _c.c_size_t()
        text = _c.create_string_buffer(64 * max_nr)
        raw_keys, raw_text = memoryview(keys).cast("B"), memoryview(text).cast("B")
        if prefix is not None:
            prefix = _os.fsencode(prefix)
        while True:
            err = _lib.tally_view_keys(self._at, prefix, _c.byref(cursor), keys,
                                       max_nr, text, len(text), _c.byref(nr))
            if err == -_errno.ENOENT:
                return found
            if err:
                raise Error("tally_view_keys", err)
            last = keys[nr.value - 1]
            names = _os.fsdecode(
                raw_text[: last.offset + last.bytes].tobytes()).split("\0")
            records = _KEY.iter_unpack(raw_keys[: nr.value * _KEY.size])
            found.update(
                ((row, generation), name)
                for (row, generation, _, _), name in zip(records, names))
