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

A number that C's type lacks is an OverflowError; a text with a NUL byte, or more
than MAX_DEMANDS demands, a ValueError; an option that does not exist a TypeError.

The library is the libnumatally.so.0 that the dynamic linker finds, or the file
that $NUMATALLY_LIBRARY names. Objects can be used by several threads, but close()
by one when no other uses it. Close views before their ledger or reader, which
with statements do; a ledger closes what is left of them.
"""

import ctypes as _c
import errno as _errno
import operator as _operator
import os as _os
import struct as _struct
import weakref as _weakref
from collections import namedtuple as _namedtuple

COUNTER, GAUGE, RESERVABLE = 1, 2, 3
LOCAL = -1  # as a node: that of the CPU
ALL = -1  # as a node or resource in a view: all of them
MAX_DEMANDS = 64  # of a call, at most

Account = _namedtuple("Account", "row generation")
Resource = _namedtuple("Resource", "name unit kind")
Token = _namedtuple("Token", "row generation")
Demand = _namedtuple("Demand", "node resource amount")
Entry = _namedtuple("Entry", "account node resource amount")
SnapshotInfo = _namedtuple("SnapshotInfo", "epoch nr_in_doubt taken_ns age_ns")

_ENTRY = _struct.Struct("=IIiIq")
_AMOUNT = _struct.Struct("=iIq")
_KEY = _struct.Struct("=IIII")
_BATCH = 16384  # entries of one call: 384 KiB


class Error(OSError):
    """A function of the library failed: errno, and the library's words."""

    def __init__(self, function, err):
        words = _lib.tally_strerror_of(function.encode(), err).decode()
        super().__init__(-err, words)
        self.function = function


# ---- the C library -------------------------------------------------------------


def _integer(kind):
    """As an argument's type: an integer of C. ctypes cuts what does not fit."""
    bits = 8 * _c.sizeof(kind)
    signed = kind(-1).value < 0
    low, high = (-1 << bits - 1, 1 << bits - 1) if signed else (0, 1 << bits)
    # ctypes passes a number without a type as C's int, in the least time.
    made = _operator.index if bits == 8 * _c.sizeof(_c.c_int) else kind

    class Integer:
        ctype = kind

        @staticmethod
        def from_param(value):
            if low <= value < high:
                return made(value)
            raise OverflowError("%r does not fit %d bits" % (value, bits))

    return Integer


_Int, _Unsigned = _integer(_c.c_int), _integer(_c.c_uint)
_Size, _Int64 = _integer(_c.c_size_t), _integer(_c.c_int64)


class _Text:
    """As an argument's type: bytes, or None. C ends them at a NUL."""

    ctype = _c.c_char_p

    @staticmethod
    def from_param(value):
        if value is not None and b"\0" in value:
            raise ValueError("embedded null byte")
        return value


class _Row:
    """As an argument's type: what names a row, as (row, generation)."""

    @classmethod
    def from_param(cls, value):
        row, generation = value
        if 0 <= row < 1 << 32 and 0 <= generation < cls._end:
            return cls(row, generation)
        raise OverflowError("%r does not fit its bits" % (value,))


class _Account(_c.Structure, _Row):
    _fields_ = [("row", _c.c_uint32), ("generation", _c.c_uint32)]
    _end = 1 << 32


class _Token(_c.Structure, _Row):
    _fields_ = [("row", _c.c_uint32), ("generation", _c.c_uint64)]
    _end = 1 << 64


class _Resource(_c.Structure):
    _fields_ = [("name", _c.c_char_p), ("unit", _c.c_char_p), ("kind", _c.c_int)]


class _Options(_c.Structure):
    _fields_ = [
        ("size", _c.c_size_t),
        ("max_accounts", _c.c_uint32),
        ("max_key_bytes", _c.c_uint32),
        ("mode", _c.c_uint),
        ("exclusive", _c.c_int),
        ("capacities", _c.c_char_p),
        ("nr_capacities", _c.c_uint),
        ("nr_quotas", _c.c_uint),
        ("quotas", _c.c_void_p),
        ("nr_spare", _c.c_uint32),
        ("few_adds", _c.c_int),
    ]


_OPTIONS = ("max_accounts", "max_key_bytes", "mode", "exclusive", "nr_spare",
            "few_adds")


class _Request(_c.Structure):
    _fields_ = [
        ("size", _c.c_size_t),
        ("demands", _c.c_char_p),
        ("nr_demands", _c.c_uint),
        ("lease_ns", _c.c_int64),
    ]


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
    p, s, at = _c.c_void_p, _Text, _c.POINTER
    i, u, n, q = _Int, _Unsigned, _Size, _Int64
    for name, result, *arguments in (
        ("tally_strerror_of", s, s, i),
        ("tally_topo_open", i, s, p),
        ("tally_topo_close", None, p),
        ("tally_ledger_create", i, s, p, p, u, p, p),
        ("tally_ledger_open", i, s, p),
        ("tally_ledger_open_or_create", i, s, p, p, u, p, p, p),
        ("tally_ledger_close", None, p),
        ("tally_ledger_find", i, s, p, n),
        ("tally_ledger_path", i, s, p, n),
        ("tally_ledger_accounts", p, p),
        ("tally_ledger_resource", i, p, s),
        ("tally_ledger_serve", i, p, q),
        ("tally_ledger_add", i, p, _c.Structure, _c.c_uint, _c.c_int64),
        ("tally_ledger_add_each", i, p, p, n, p),
        ("tally_gauge_set", i, p, _Account, i, u, q),
        ("tally_account_open", i, p, s, p),
        ("tally_account_find", i, p, s, p),
        ("tally_account_end", i, p, _Account),
        ("tally_account_key", i, p, _Account, p, n),
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
        function.restype = getattr(result, "ctype", result)
        function.argtypes = arguments
    return lib


_lib = _load()


def _call(name, *arguments):
    function = getattr(_lib, name)
    try:
        result = function(*arguments)
    except _c.ArgumentError:
        # ctypes tells only in words which error it was.
        for kind, argument in zip(function.argtypes, arguments):
            kind.from_param(argument)
        raise
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
        to.name = _Text.from_param(name.encode())
        to.unit = _Text.from_param(unit.encode())
        to.kind = _Int.from_param(kind)
    return array


def _options(options):
    for name in options:
        if name not in _OPTIONS:
            raise TypeError("there is no option %r" % name)
    made = _Options(size=_c.sizeof(_Options), **options)
    for name, value in options.items():
        if getattr(made, name) != value:
            raise OverflowError("%s: %r does not fit" % (name, value))
    return made


def _misfit(error, *values):
    integers = all(hasattr(value, "__index__") for value in values)
    return (OverflowError if integers else TypeError)("%r: %s" % (values, error))


def _amounts(rows):
    """The bytes of an array of struct tally_demand or tally_capacity."""
    packed = []
    try:
        for node, resource, amount in rows:
            packed.append(_AMOUNT.pack(node, resource, amount))
    except _struct.error as error:
        raise _misfit(error, node, resource, amount) from None
    return b"".join(packed)


def _demands(demands):
    if len(demands) > MAX_DEMANDS:
        raise ValueError("%d demands, but %d are the most"
                         % (len(demands), MAX_DEMANDS))
    return _amounts(demands)


def _request(demands, lease_ns):
    return _Request(_c.sizeof(_Request), _demands(demands), len(demands),
                    _Int64.from_param(lease_ns))


def _prefix(prefix):
    return None if prefix is None else _Text.from_param(_os.fsencode(prefix))


def pack(entries):
    """The bytes of entries, each (account, node, resource, amount), as
    Ledger.add_each() takes them: for entries that are added again and again."""
    packed = []
    try:
        for a, node, resource, amount in entries:
            packed.append(_ENTRY.pack(a[0], a[1], node, resource, amount))
    except _struct.error as error:
        raise _misfit(error, a[0], a[1], node, resource, amount) from None
    return b"".join(packed)


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
        columns, o = _resources(resources), _options(options)
        o.capacities, o.nr_capacities = _amounts(capacities), len(capacities)
        _call("tally_topo_open", root and _os.fsencode(root), _c.byref(topo))
        try:
            _call(name, None if path is None else _os.fsencode(path), topo,
                  columns, len(columns), _c.byref(o), _c.byref(pointer), *why)
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
        _call("tally_account_end", self._accounts, account)

    def add(self, account, resource, amount):
        """Add to the account, for this CPU's node (tally_ledger_add(3))."""
        row, generation = account
        # At once: a from_param() for each takes long. What is no integer has no |.
        if not (0 <= row | generation | resource < 1 << 32
                and -1 << 63 <= amount | 0 < 1 << 63):
            raise OverflowError("%r, %r, %r: not of 32, 32 and 64 bits"
                                % (account, resource, amount))
        err = _lib.tally_ledger_add(self._pointer or self._at,
                                    _Account(row, generation), resource, amount)
        if err:
            raise Error("tally_ledger_add", err)

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
        _call("tally_gauge_set", self._at, account, node, resource, amount)

    def set_capacity(self, node, resource, capacity):
        """Limit what can be reserved on a node."""
        _call("tally_limit_set_capacity", self._at, node, resource, capacity)

    def set_quota(self, account, resource, quota):
        """Limit what an account, and those below it, can reserve."""
        _call("tally_limit_set_quota", self._at, account, resource, quota)

    def reserve(self, account, demands, lease_ns=0):
        """Reserve demands, each (node, resource, amount): all or none. Return the
        token (tally_limit_reserve(3))."""
        token = _Token()
        request = _request(demands, lease_ns)
        _call("tally_limit_reserve", self._at, account, _c.byref(request),
              _c.byref(token), None)
        return Token(token.row, token.generation)

    def commit(self, token):
        """Commit a reservation."""
        _call("tally_limit_commit", self._at, token)

    def cancel(self, token):
        """Cancel a reservation that is not committed."""
        _call("tally_limit_cancel", self._at, token)

    def release(self, token, demands=()):
        """Release a reservation, or these demands of it."""
        _call("tally_limit_release", self._at, token, _demands(demands),
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
        return self._sums("tally_view_account", account, node)

    def key(self, account):
        """The key of an account that exists."""
        accounts = _lib.tally_view_accounts(self._at)
        text = _c.create_string_buffer(_lib.tally_account_key_bytes(accounts))
        _call("tally_account_key", accounts, account, text, len(text))
        return _os.fsdecode(text.value)

    def batches(self, prefix=None, node=ALL, resource=ALL, zeros=False):
        """Read amounts, and yield them as Entries of some thousands
        (tally_view_read(3)). An account's entries are in the same one."""
        f = _Filter(_c.sizeof(_Filter), _prefix(prefix), _Int.from_param(node),
                    _Int.from_param(resource), bool(zeros))
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
        prefix = _prefix(prefix)
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
