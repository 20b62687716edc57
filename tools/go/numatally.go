// SPDX-License-Identifier: MIT

// Package numatally keeps accounts of resources per NUMA node: the C library of
// that name, by cgo.
//
// A call into C takes some hundred nanoseconds, so many adds and many amounts go in
// one call: [Ledger.AddEach] and [View.ReadAll]. What a function does, and which
// errors it has, says the manual page of the C function that its comment names.
//
// Any number of goroutines may use a ledger, reader or view, but Close must be
// called when no other uses it: of views before their ledger or reader. Methods of
// what is closed return [os.ErrClosed].
package numatally

// #cgo pkg-config: numatally
// #include <stdlib.h>
// #include <numatally.h>
//
// // Go memory that C reads must not point to Go memory: these functions put the
// // structures that would on C's stack.
//
// static int go_reserve(struct tally_ledger *l, struct tally_account a,
//		const struct tally_demand *demands, unsigned int nr,
//		int64_t lease_ns, struct tally_token *token)
// {
//	struct tally_request request = {
//		.size = sizeof(request),
//		.demands = demands,
//		.nr_demands = nr,
//		.lease_ns = lease_ns,
//	};
//
//	return tally_limit_reserve(l, a, &request, token, NULL);
// }
//
// static int go_read(const struct tally_view *v, const char *prefix, int node,
//		int resource, int zeros, uint64_t *cursor,
//		struct tally_entry *entries, size_t max, size_t *nr)
// {
//	const struct tally_filter filter = {
//		.size = sizeof(filter),
//		.prefix = prefix,
//		.node = node,
//		.resource = resource,
//		.zeros = zeros,
//	};
//
//	return tally_view_read(v, &filter, cursor, entries, max, nr);
// }
import "C"

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Kind is what changes a resource.
type Kind int

const (
	Counter    Kind = C.TALLY_COUNTER    // only grows
	Gauge      Kind = C.TALLY_GAUGE      // is measured: added to and set
	Reservable Kind = C.TALLY_RESERVABLE // handed out under limits
)

const (
	Local = C.TALLY_NODE_LOCAL // as a node: that of the CPU
	All   = C.TALLY_VIEW_ALL   // as a node or resource in a view: all of them
)

// MaxDemands is how many demands a call takes at most.
const MaxDemands = C.TALLY_LIMIT_MAX_DEMANDS

// Error is an error of the library. errors.Is finds its number, as in
// errors.Is(err, syscall.ENOSPC). A text with a NUL byte, and too many demands, are
// EINVAL without a call of the library.
type Error struct {
	Function string // of the library
	Errno    syscall.Errno
	words    string // of this package; "": the library's
}

// Error returns the function's name and words for the error.
func (e *Error) Error() string {
	if e.words != "" {
		return e.Function + ": " + e.words
	}
	name := C.CString(e.Function)
	defer C.free(unsafe.Pointer(name))
	return e.Function + ": " +
		C.GoString(C.tally_strerror_of(name, -C.int(e.Errno)))
}

// Unwrap returns the error's number.
func (e *Error) Unwrap() error { return e.Errno }

func check(function string, result C.int) error {
	if result >= 0 {
		return nil
	}
	return &Error{Function: function, Errno: syscall.Errno(-result)}
}

const nulWords = "a text has a NUL byte"

func invalid(function, words string) error {
	return &Error{function, syscall.EINVAL, words}
}

// textOf returns C's copy of a text, which the caller frees. To C it would end at a
// NUL byte.
func textOf(function, s string) (*C.char, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, invalid(function, nulWords)
	}
	return C.CString(s), nil
}

// toInt returns a number as C's int. What that lacks becomes a number that nothing
// has, which C refuses.
func toInt(n int) C.int {
	if n < math.MinInt32 || n > math.MaxInt32 {
		return math.MinInt32
	}
	return C.int(n)
}

// Account is the handle of an account.
type Account struct{ Row, Generation uint32 }

func (a Account) c() C.struct_tally_account {
	return C.struct_tally_account{C.uint32_t(a.Row), C.uint32_t(a.Generation)}
}

// Resource is a column of a ledger.
type Resource struct {
	Name, Unit string
	Kind       Kind
}

// Entry is an amount of a resource, of an account, for a node: struct tally_entry.
type Entry struct {
	Account  Account
	Node     int32
	Resource uint32
	Amount   int64
}

// Demand is an amount of a resource on a node: struct tally_demand.
type Demand struct {
	Node     int32
	Resource uint32
	Amount   int64
}

// Token is a reservation's.
type Token struct{ c C.struct_tally_token }

// The sizes of Go's structures and C's are equal: else an index is out of range.
var (
	_ = [1]struct{}{}[unsafe.Sizeof(Entry{})-C.sizeof_struct_tally_entry]
	_ = [1]struct{}{}[unsafe.Sizeof(Demand{})-C.sizeof_struct_tally_demand]
)

func demandsOf(function string, demands []Demand) (*C.struct_tally_demand, C.uint, error) {
	if len(demands) > MaxDemands {
		return nil, 0, invalid(function, fmt.Sprint(len(demands),
			" demands, but ", MaxDemands, " are the most"))
	}
	if len(demands) == 0 {
		return nil, 0, nil
	}
	return (*C.struct_tally_demand)(unsafe.Pointer(&demands[0])),
		C.uint(len(demands)), nil
}

func entriesOf(entries []Entry) (*C.struct_tally_entry, C.size_t) {
	if len(entries) == 0 {
		return nil, 0
	}
	return (*C.struct_tally_entry)(unsafe.Pointer(&entries[0])),
		C.size_t(len(entries))
}

// Path returns the path of the ledger with this name (tally_ledger_path(3)).
func Path(name string) (string, error) { return pathOf(name, false) }

// Find returns the path of an existing ledger (tally_ledger_find(3)).
func Find(name string) (string, error) { return pathOf(name, true) }

func pathOf(name string, find bool) (string, error) {
	var path [4096]C.char
	function := "tally_ledger_path"
	if find {
		function = "tally_ledger_find"
	}
	text, err := textOf(function, name)
	if err != nil {
		return "", err
	}
	defer C.free(unsafe.Pointer(text))
	if find {
		err = check(function,
			C.tally_ledger_find(text, &path[0], C.size_t(len(path))))
	} else {
		err = check(function,
			C.tally_ledger_path(text, &path[0], C.size_t(len(path))))
	}
	return C.GoString(&path[0]), err
}

// Ledger is a ledger that is open for writing (tally_ledger(3)).
type Ledger struct {
	c        *C.struct_tally_ledger
	accounts *C.struct_tally_accounts
}

// Options of a ledger that is created; 0 stands for a default.
type Options struct {
	MaxAccounts uint32
	MaxKeyBytes uint32
	Mode        os.FileMode
	Exclusive   bool
	Spare       uint32    // columns for tally_ledger_declare(3)
	FewAdds     bool      // opens in less time, and adds in more
	Root        string    // of a captured machine
	Machines    []Machine // of a cluster, instead of this machine
}

// Open opens the ledger at path.
func Open(path string) (*Ledger, error) {
	var l *C.struct_tally_ledger
	text, err := textOf("tally_ledger_open", path)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(text))
	err = check("tally_ledger_open", C.tally_ledger_open(text, &l))
	return ledgerOf(l, err)
}

// Create creates a ledger at path; "": one without a name. options may be nil.
func Create(path string, resources []Resource, options *Options) (*Ledger, error) {
	return create(path, resources, options, false)
}

// OpenOrCreate opens the ledger at path if it can be used, else creates it.
func OpenOrCreate(path string, resources []Resource, options *Options) (*Ledger, error) {
	return create(path, resources, options, true)
}

func ledgerOf(l *C.struct_tally_ledger, err error) (*Ledger, error) {
	if err != nil {
		return nil, err
	}
	return &Ledger{l, C.tally_ledger_accounts(l)}, nil
}

func create(path string, resources []Resource, options *Options, open bool) (*Ledger, error) {
	var a arena
	defer a.free()
	if options == nil {
		options = &Options{}
	}
	o := C.struct_tally_ledger_options{
		size:          C.sizeof_struct_tally_ledger_options,
		max_accounts:  C.uint32_t(options.MaxAccounts),
		max_key_bytes: C.uint32_t(options.MaxKeyBytes),
		mode:          C.mode_t(options.Mode.Perm()),
		nr_spare:      C.uint32_t(options.Spare),
	}
	if options.Exclusive {
		o.exclusive = 1
	}
	if options.FewAdds {
		o.few_adds = 1
	}
	array := (*C.struct_tally_resource)(a.alloc(len(resources),
		C.sizeof_struct_tally_resource))
	for i, r := range resources {
		unsafe.Slice(array, len(resources))[i] = C.struct_tally_resource{
			name: a.text(r.Name),
			unit: a.text(r.Unit),
			kind: C.enum_tally_kind(toInt(int(r.Kind))),
		}
	}
	var at *C.char
	if path != "" {
		at = a.text(path)
	}
	function := "tally_ledger_create"
	if open {
		function = "tally_ledger_open_or_create"
	}
	if a.nul {
		return nil, invalid(function, nulWords)
	}
	topo, err := topoOf(options)
	if err != nil {
		return nil, err
	}
	defer C.tally_topo_close(topo)
	var l *C.struct_tally_ledger
	nr := C.uint(len(resources))
	if open {
		err = check(function,
			C.tally_ledger_open_or_create(at, topo, array, nr, &o, &l, nil))
		return ledgerOf(l, err)
	}
	err = check(function,
		C.tally_ledger_create(at, topo, array, nr, &o, &l))
	return ledgerOf(l, err)
}

// Close closes the ledger. Closing it twice does nothing.
func (l *Ledger) Close() {
	C.tally_ledger_close(l.c)
	l.c = nil
}

// Resource returns the number of the resource with this name.
func (l *Ledger) Resource(name string) (uint32, error) {
	if l.c == nil {
		return 0, os.ErrClosed
	}
	text, err := textOf("tally_ledger_resource", name)
	if err != nil {
		return 0, err
	}
	defer C.free(unsafe.Pointer(text))
	nr := C.tally_ledger_resource(l.c, text)
	return uint32(nr), check("tally_ledger_resource", nr)
}

// Account finds the account with this key, or adds it.
func (l *Ledger) Account(key string) (Account, error) {
	if l.c == nil {
		return Account{}, os.ErrClosed
	}
	var a C.struct_tally_account
	text, err := textOf("tally_account_open", key)
	if err != nil {
		return Account{}, err
	}
	defer C.free(unsafe.Pointer(text))
	err = check("tally_account_open", C.tally_account_open(l.accounts, text, &a))
	return Account{uint32(a.row), uint32(a.generation)}, err
}

// Find finds the account with this key.
func (l *Ledger) Find(key string) (Account, error) {
	if l.c == nil {
		return Account{}, os.ErrClosed
	}
	var a C.struct_tally_account
	text, err := textOf("tally_account_find", key)
	if err != nil {
		return Account{}, err
	}
	defer C.free(unsafe.Pointer(text))
	err = check("tally_account_find", C.tally_account_find(l.accounts, text, &a))
	return Account{uint32(a.row), uint32(a.generation)}, err
}

// End ends the account.
func (l *Ledger) End(a Account) error {
	if l.c == nil {
		return os.ErrClosed
	}
	return check("tally_account_end", C.tally_account_end(l.accounts, a.c()))
}

// Add adds to the account, for this CPU's node (tally_ledger_add(3)).
func (l *Ledger) Add(a Account, resource uint32, amount int64) error {
	if l.c == nil {
		return os.ErrClosed
	}
	return check("tally_ledger_add",
		C.tally_ledger_add(l.c, a.c(), C.uint(resource), C.int64_t(amount)))
}

// AddEach adds many amounts, each by itself, and returns how many were added: also
// the index of the first that failed (tally_ledger_add_each(3)).
func (l *Ledger) AddEach(entries []Entry) (int, error) {
	if l.c == nil {
		return 0, os.ErrClosed
	}
	var nr C.size_t
	at, all := entriesOf(entries)
	err := check("tally_ledger_add_each",
		C.tally_ledger_add_each(l.c, at, all, &nr))
	return int(nr), err
}

// SetGauge sets a gauge (tally_gauge_set(3)).
func (l *Ledger) SetGauge(a Account, node int, resource uint32, amount int64) error {
	if l.c == nil {
		return os.ErrClosed
	}
	return check("tally_gauge_set", C.tally_gauge_set(l.c, a.c(), toInt(node),
		C.uint(resource), C.int64_t(amount)))
}

// SetCapacity limits what can be reserved on a node.
func (l *Ledger) SetCapacity(node int, resource uint32, capacity int64) error {
	if l.c == nil {
		return os.ErrClosed
	}
	return check("tally_limit_set_capacity", C.tally_limit_set_capacity(l.c,
		toInt(node), C.uint(resource), C.int64_t(capacity)))
}

// SetQuota limits what an account, and those below it, can reserve.
func (l *Ledger) SetQuota(a Account, resource uint32, quota int64) error {
	if l.c == nil {
		return os.ErrClosed
	}
	return check("tally_limit_set_quota", C.tally_limit_set_quota(l.c, a.c(),
		C.uint(resource), C.int64_t(quota)))
}

// Reserve reserves all of the demands or none, with a lease unless that is 0
// (tally_limit_reserve(3)).
func (l *Ledger) Reserve(a Account, demands []Demand, lease time.Duration) (Token, error) {
	var token Token
	if l.c == nil {
		return token, os.ErrClosed
	}
	at, nr, err := demandsOf("tally_limit_reserve", demands)
	if err != nil {
		return token, err
	}
	err = check("tally_limit_reserve", C.go_reserve(l.c, a.c(), at, nr,
		C.int64_t(lease.Nanoseconds()), &token.c))
	return token, err
}

// Commit commits a reservation.
func (l *Ledger) Commit(t Token) error {
	if l.c == nil {
		return os.ErrClosed
	}
	return check("tally_limit_commit", C.tally_limit_commit(l.c, t.c))
}

// Cancel cancels a reservation that is not committed.
func (l *Ledger) Cancel(t Token) error {
	if l.c == nil {
		return os.ErrClosed
	}
	return check("tally_limit_cancel", C.tally_limit_cancel(l.c, t.c))
}

// Release releases a reservation, or these demands of it.
func (l *Ledger) Release(t Token, demands ...Demand) error {
	if l.c == nil {
		return os.ErrClosed
	}
	at, nr, err := demandsOf("tally_limit_release", demands)
	if err != nil {
		return err
	}
	return check("tally_limit_release", C.tally_limit_release(l.c, t.c, at, nr))
}

// Serve takes snapshots for readers (tally_ledger_serve(3)).
func (l *Ledger) Serve(keep time.Duration) error {
	if l.c == nil {
		return os.ErrClosed
	}
	return check("tally_ledger_serve",
		C.tally_ledger_serve(l.c, C.int64_t(keep.Nanoseconds())))
}

// View opens a live view.
func (l *Ledger) View() (*View, error) {
	if l.c == nil {
		return nil, os.ErrClosed
	}
	var v *C.struct_tally_view
	err := check("tally_view_open", C.tally_view_open(l.c, &v))
	return viewOf(v, err)
}

func flags(join bool) C.uint {
	if join {
		return C.TALLY_SNAPSHOT_JOIN
	}
	return 0
}

// Snapshot takes a snapshot, or joins an open one, and opens a view of it.
func (l *Ledger) Snapshot(join bool, timeout time.Duration) (*View, error) {
	if l.c == nil {
		return nil, os.ErrClosed
	}
	var v *C.struct_tally_view
	err := check("tally_view_snapshot", C.tally_view_snapshot(l.c, flags(join),
		C.int64_t(timeout.Nanoseconds()), &v))
	return viewOf(v, err)
}

// Reader is a ledger of another process, open for reading (tally_reader(3)).
type Reader struct{ c *C.struct_tally_reader }

// OpenReader opens the ledger at path for reading.
func OpenReader(path string) (*Reader, error) {
	var r *C.struct_tally_reader
	text, err := textOf("tally_reader_open", path)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(text))
	if err = check("tally_reader_open", C.tally_reader_open(text, &r)); err != nil {
		return nil, err
	}
	return &Reader{r}, nil
}

// Close closes the reader. Closing it twice does nothing.
func (r *Reader) Close() {
	C.tally_reader_close(r.c)
	r.c = nil
}

// View opens a live view.
func (r *Reader) View() (*View, error) {
	if r.c == nil {
		return nil, os.ErrClosed
	}
	var v *C.struct_tally_view
	err := check("tally_reader_view", C.tally_reader_view(r.c, &v))
	return viewOf(v, err)
}

// Snapshot opens a view of a snapshot, which a process that serves takes, or joins
// an open one.
func (r *Reader) Snapshot(join bool, timeout time.Duration) (*View, error) {
	if r.c == nil {
		return nil, os.ErrClosed
	}
	var v *C.struct_tally_view
	err := check("tally_reader_snapshot", C.tally_reader_snapshot(r.c,
		flags(join), C.int64_t(timeout.Nanoseconds()), &v))
	return viewOf(v, err)
}

// View is the amounts of a ledger, live or of a snapshot (tally_view(3)).
type View struct {
	c         *C.struct_tally_view
	Nodes     []int      // their numbers in the ledger
	Resources []Resource // those that there were when it was opened
}

func viewOf(c *C.struct_tally_view, err error) (*View, error) {
	if err != nil {
		return nil, err
	}
	v := &View{c: c}
	for i := C.uint(0); i < C.tally_view_nr_nodes(c); i++ {
		v.Nodes = append(v.Nodes, int(C.tally_view_node(c, i)))
	}
	for i := C.uint(0); i < C.tally_view_nr_resources(c); i++ {
		r := C.tally_view_resource(c, i)
		v.Resources = append(v.Resources,
			Resource{C.GoString(r.name), C.GoString(r.unit), Kind(r.kind)})
	}
	return v, nil
}

// Close closes the view. Closing it twice does nothing.
func (v *View) Close() {
	C.tally_view_close(v.c)
	v.c = nil
}

// SnapshotInfo is the facts of a snapshot.
type SnapshotInfo struct {
	Epoch     uint64
	NrInDoubt uint64
	Taken     time.Time
	Age       time.Duration
}

// Info returns the facts of the snapshot; false: the view is live, or closed.
func (v *View) Info() (SnapshotInfo, bool) {
	if v.c == nil {
		return SnapshotInfo{}, false
	}
	info := C.tally_view_snapshot_info(v.c)
	if info == nil {
		return SnapshotInfo{}, false
	}
	return SnapshotInfo{uint64(info.epoch), uint64(info.nr_in_doubt),
		time.Unix(0, int64(info.taken_ns)), time.Duration(info.age_ns)}, true
}

// Totals returns the sums over all accounts, on a node or all, by resource.
func (v *View) Totals(node int) ([]int64, error) {
	if v.c == nil {
		return nil, os.ErrClosed
	}
	amounts := make([]int64, len(v.Resources))
	err := check("tally_view_totals", C.tally_view_totals(v.c, toInt(node),
		(*C.int64_t)(unsafe.Pointer(&amounts[0]))))
	return amounts, err
}

// Account returns the amounts of an account, on a node or all, by resource.
func (v *View) Account(a Account, node int) ([]int64, error) {
	if v.c == nil {
		return nil, os.ErrClosed
	}
	amounts := make([]int64, len(v.Resources))
	err := check("tally_view_account", C.tally_view_account(v.c, a.c(),
		toInt(node), (*C.int64_t)(unsafe.Pointer(&amounts[0]))))
	return amounts, err
}

// Filter says which amounts are read: struct tally_filter. Node and Resource are
// numbers, or All.
type Filter struct {
	Prefix   string // of accounts' keys
	Node     int
	Resource int
	Zeros    bool // amounts of 0, too
}

// Read fills entries with amounts, and returns how many: those that the filter
// says, or with nil all that are not 0. *cursor is 0 at first. io.EOF: there are no
// more (tally_view_read(3)).
func (v *View) Read(f *Filter, cursor *uint64, entries []Entry) (int, error) {
	if v.c == nil {
		return 0, os.ErrClosed
	}
	if f == nil {
		f = &Filter{Node: All, Resource: All}
	}
	var prefix *C.char
	if f.Prefix != "" {
		var err error
		if prefix, err = textOf("tally_view_read", f.Prefix); err != nil {
			return 0, err
		}
		defer C.free(unsafe.Pointer(prefix))
	}
	zeros := C.int(0)
	if f.Zeros {
		zeros = 1
	}
	var nr C.size_t
	at, max := entriesOf(entries)
	err := C.go_read(v.c, prefix, toInt(f.Node), toInt(f.Resource), zeros,
		(*C.uint64_t)(unsafe.Pointer(cursor)),
		at, max, &nr)
	if err == -C.ENOENT {
		return 0, io.EOF
	}
	return int(nr), check("tally_view_read", err)
}

// ReadAll appends all amounts that the filter says to entries. A caller that reads
// again and again passes the last result, shortened to 0.
func (v *View) ReadAll(f *Filter, entries []Entry) ([]Entry, error) {
	var cursor uint64
	least := 4096
	for {
		if cap(entries)-len(entries) < least {
			more := make([]Entry, len(entries), 2*cap(entries)+least)
			copy(more, entries)
			entries = more
		}
		nr, err := v.Read(f, &cursor, entries[len(entries):cap(entries)])
		entries = entries[:len(entries)+nr]
		if err == io.EOF {
			return entries, nil
		}
		if e, ok := err.(*Error); ok && e.Errno == syscall.ERANGE {
			least = 2*(cap(entries)-len(entries)) + 1
			continue
		}
		if err != nil {
			return entries, err
		}
	}
}

// Keys returns the keys of the accounts that begin with prefix
// (tally_view_keys(3)).
func (v *View) Keys(prefix string) (map[Account]string, error) {
	if v.c == nil {
		return nil, os.ErrClosed
	}
	begin, err := textOf("tally_view_keys", prefix)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(begin))
	keys := make([]C.struct_tally_key, 4096)
	text := make([]byte, 64*len(keys))
	found := make(map[Account]string)
	var cursor C.uint64_t
	for {
		var nr C.size_t
		err := C.tally_view_keys(v.c, begin, &cursor, &keys[0],
			C.size_t(len(keys)), (*C.char)(unsafe.Pointer(&text[0])),
			C.size_t(len(text)), &nr)
		if err == -C.ENOENT {
			return found, nil
		}
		if err != 0 {
			return nil, check("tally_view_keys", err)
		}
		for _, k := range keys[:nr] {
			a := Account{uint32(k.account.row), uint32(k.account.generation)}
			found[a] = string(text[k.offset : k.offset+k.bytes])
		}
	}
}
