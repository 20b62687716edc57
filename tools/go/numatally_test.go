// SPDX-License-Identifier: MIT

package numatally

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var resources = []Resource{
	{"requests", "", Counter},
	{"memory", "bytes", Gauge},
	{"cores", "", Reservable},
}

const (
	requests = iota
	memory
	cores
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err error, errno syscall.Errno) {
	t.Helper()
	if !errors.Is(err, errno) {
		t.Fatalf("%v instead of %v", err, errno)
	}
}

// create1 makes a ledger, on a tmpfs if there is one.
func create1(t testing.TB, options *Options) (*Ledger, *View, string) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "numatally-go")
	if err != nil {
		dir = t.TempDir()
	}
	path := filepath.Join(dir, "ledger")
	l, err := Create(path, resources, options)
	must(t, err)
	v, err := l.View()
	must(t, err)
	t.Cleanup(func() {
		v.Close()
		l.Close()
		os.RemoveAll(dir)
	})
	return l, v, path
}

func account(t testing.TB, l *Ledger, key string) Account {
	t.Helper()
	a, err := l.Account(key)
	must(t, err)
	return a
}

func sums(t *testing.T, v *View, expected ...int64) {
	t.Helper()
	got, err := v.Totals(All)
	must(t, err)
	if fmt.Sprint(got) != fmt.Sprint(expected) {
		t.Fatalf("%v instead of %v", got, expected)
	}
}

func TestAdds(t *testing.T) {
	l, v, _ := create1(t, nil)
	a := account(t, l, "a")
	node := int32(v.Nodes[0])
	must(t, l.Add(a, requests, 3))
	nr, err := l.AddEach([]Entry{{a, Local, requests, 1}, {a, node, memory, 7}})
	must(t, err)
	if nr != 2 {
		t.Fatal(nr)
	}
	nr, err = l.AddEach([]Entry{{a, Local, requests, 1}, {a, node, cores, 7}})
	want(t, err, syscall.EINVAL)
	if nr != 1 || !strings.Contains(err.Error(), "its kind does not allow this") {
		t.Fatal(nr, err)
	}
	_, err = l.AddEach(nil)
	must(t, err)
	sums(t, v, 5, 7, 0)
	got, err := v.Account(a, v.Nodes[0])
	must(t, err)
	if got[memory] != 7 {
		t.Fatal(got)
	}
	if v.Resources[memory] != resources[memory] {
		t.Fatal(v.Resources)
	}
	r, err := l.Resource("cores")
	must(t, err)
	if r != cores {
		t.Fatal(r)
	}
	_, err = l.Find("none")
	want(t, err, syscall.ENOENT)
	must(t, l.End(a))
	want(t, l.Add(a, requests, 1), syscall.ESTALE)
}

func TestGauges(t *testing.T) {
	l, v, _ := create1(t, nil)
	a := account(t, l, "a")
	must(t, l.Add(a, memory, 7))
	must(t, l.SetGauge(a, v.Nodes[0], memory, 1<<40))
	must(t, l.SetGauge(a, v.Nodes[0], memory, 100))
	got, err := v.Account(a, v.Nodes[0])
	must(t, err)
	if got[memory] != 100 {
		t.Fatal(got)
	}
	want(t, l.SetGauge(a, v.Nodes[0], requests, 1), syscall.EINVAL)
}

func TestReservations(t *testing.T) {
	l, v, _ := create1(t, nil)
	a := account(t, l, "a")
	node := int32(v.Nodes[0])
	must(t, l.SetCapacity(v.Nodes[0], cores, 4))
	token, err := l.Reserve(a, []Demand{{node, cores, 3}}, 0)
	must(t, err)
	_, err = l.Reserve(account(t, l, "b"), []Demand{{node, cores, 2}}, 0)
	want(t, err, syscall.ENOSPC)
	must(t, l.Commit(token))
	want(t, l.Cancel(token), syscall.EBUSY)
	must(t, l.Release(token, Demand{node, cores, 1}))
	sums(t, v, 0, 0, 2)
	must(t, l.Release(token))
	want(t, l.Release(token), syscall.ESTALE)
	must(t, l.SetQuota(a, cores, 1))
	_, err = l.Reserve(a, []Demand{{node, cores, 2}}, time.Second)
	want(t, err, syscall.EDQUOT)
}

// 64 goroutines reserve around a limit: none is over it.
func TestNeverOver(t *testing.T) {
	const limit = 40
	var over, granted int64
	var wait sync.WaitGroup
	l, v, _ := create1(t, nil)
	node := int32(v.Nodes[0])
	must(t, l.SetCapacity(v.Nodes[0], cores, limit))
	for i := 0; i < 64; i++ {
		a := account(t, l, fmt.Sprint("job-", i))
		wait.Add(1)
		go func(amount int64) {
			defer wait.Done()
			for n := 0; n < 100; n++ {
				token, err := l.Reserve(a, []Demand{{node, cores, amount}}, 0)
				if errors.Is(err, syscall.ENOSPC) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				atomic.AddInt64(&granted, 1)
				held, err := v.Totals(All)
				if err != nil || held[cores] > limit {
					atomic.AddInt64(&over, 1)
				}
				if err := l.Release(token); err != nil {
					t.Error(err)
				}
			}
		}(int64(1 + i%3))
	}
	wait.Wait()
	if over != 0 || granted == 0 {
		t.Fatal(over, " over, ", granted, " granted")
	}
	sums(t, v, 0, 0, 0)
}

// Sums are exact while goroutines move from thread to thread.
func TestExact(t *testing.T) {
	var wait sync.WaitGroup
	l, v, _ := create1(t, nil)
	a := account(t, l, "a")
	for i := 0; i < 64; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for n := 0; n < 1000; n++ {
				if err := l.Add(a, requests, 1); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wait.Wait()
	sums(t, v, 64000, 0, 0)
}

func TestRead(t *testing.T) {
	l, v, _ := create1(t, nil)
	node := int32(v.Nodes[0])
	var entries []Entry
	for i := 0; i < 4000; i++ {
		a := account(t, l, fmt.Sprintf("team-%d/job-%d", i%4, i))
		for r := uint32(0); r < 2; r++ {
			entries = append(entries, Entry{a, node, r, int64(i + 1)})
		}
	}
	_, err := l.AddEach(entries)
	must(t, err)
	got, err := v.ReadAll(nil, nil)
	must(t, err)
	if len(got) != len(entries) {
		t.Fatal(len(got))
	}
	for i := range got {
		if got[i] != entries[i] {
			t.Fatal(got[i], entries[i])
		}
	}
	f := Filter{Prefix: "team-1/", Node: v.Nodes[0], Resource: memory}
	got, err = v.ReadAll(&f, got[:0])
	must(t, err)
	keys, err := v.Keys("team-1/")
	must(t, err)
	if len(got) != 1000 || len(keys) != 1000 {
		t.Fatal(len(got), len(keys))
	}
	for _, e := range got {
		if e.Resource != memory || keys[e.Account] == "" {
			t.Fatal(e)
		}
	}
	f.Zeros = true
	f.Prefix = ""
	f.Resource = All
	got, err = v.ReadAll(&f, nil)
	must(t, err)
	if len(got) != 3*4000 {
		t.Fatal(len(got))
	}
	keys, err = v.Keys("")
	must(t, err)
	if len(keys) != 4000 || keys[entries[0].Account] != "team-0/job-0" {
		t.Fatal(len(keys))
	}
	f.Node = 12345
	_, err = v.ReadAll(&f, nil)
	want(t, err, syscall.EINVAL)
	var cursor uint64
	_, err = v.Read(nil, &cursor, make([]Entry, 1))
	want(t, err, syscall.ERANGE)
	cursor = 1 << 40
	if _, err = v.Read(nil, &cursor, make([]Entry, 1)); err != io.EOF {
		t.Fatal(err)
	}
}

func TestSnapshot(t *testing.T) {
	l, live, path := create1(t, nil)
	a := account(t, l, "a")
	must(t, l.Add(a, requests, 1))
	v, err := l.Snapshot(false, time.Minute)
	if errors.Is(err, syscall.ENOSYS) {
		t.Skip(err)
	}
	must(t, err)
	must(t, l.Add(a, requests, 1))
	sums(t, v, 1, 0, 0)
	sums(t, live, 2, 0, 0)
	info, ok := v.Info()
	if _, is := live.Info(); is || !ok || info.Epoch == 0 {
		t.Fatal(info)
	}
	_, err = l.Snapshot(false, time.Minute)
	want(t, err, syscall.EBUSY)
	v.Close()
	v.Close()
	if _, err = v.Totals(All); err != os.ErrClosed {
		t.Fatal(err)
	}
	r, err := OpenReader(path)
	must(t, err)
	defer r.Close()
	must(t, l.Serve(0))
	v, err = r.Snapshot(false, time.Minute)
	must(t, err)
	defer v.Close()
	must(t, l.Add(a, requests, 1))
	sums(t, v, 2, 0, 0)
}

// The runtime has a handler for SIGBUS of its own, which the library's is before.
func TestCut(t *testing.T) {
	l, _, path := create1(t, nil)
	must(t, l.Add(account(t, l, "a"), requests, 1))
	r, err := OpenReader(path)
	must(t, err)
	defer r.Close()
	v, err := r.View()
	must(t, err)
	defer v.Close()
	sums(t, v, 1, 0, 0)
	must(t, os.Truncate(path, 0))
	_, err = v.Totals(All)
	want(t, err, syscall.EBADMSG)
	_, err = v.ReadAll(nil, nil)
	want(t, err, syscall.EBADMSG)
	_, err = OpenReader(path)
	want(t, err, syscall.EBADMSG)
}

func TestOpen(t *testing.T) {
	l, _, path := create1(t, &Options{MaxAccounts: 64, Mode: 0600})
	account(t, l, "a")
	other, err := Open(path)
	must(t, err)
	_, err = other.Find("a")
	must(t, err)
	other.Close()
	if other.Add(Account{}, 0, 1) != os.ErrClosed {
		t.Fatal("added to a closed ledger")
	}
	other, err = OpenOrCreate(path, resources, nil)
	must(t, err)
	_, err = other.Find("a")
	must(t, err)
	other.Close()
	_, err = Create(path, resources, nil)
	want(t, err, syscall.EEXIST)
	found, err := Find(path)
	must(t, err)
	if found != path {
		t.Fatal(found)
	}
}

// A text with a NUL byte is refused, where C would end it there.
func TestNUL(t *testing.T) {
	l, v, path := create1(t, nil)
	account(t, l, "a")
	wrong := func(_ interface{}, err error) {
		t.Helper()
		want(t, err, syscall.EINVAL)
		if !strings.Contains(err.Error(), "NUL byte") {
			t.Fatal(err)
		}
	}
	wrong(l.Account("a\x00b"))
	wrong(l.Account("\x00"))
	wrong(l.Find("a\x00"))
	wrong(l.Resource("cores\x00"))
	wrong(v.Keys("a\x00"))
	wrong(v.ReadAll(&Filter{Prefix: "a\x00", Node: All, Resource: All}, nil))
	wrong(Path(path + "\x00b"))
	wrong(Find(path + "\x00b"))
	wrong(Open(path + "\x00b"))
	wrong(OpenReader(path + "\x00b"))
	wrong(OpenOrCreate(path+"\x00b", resources, nil))
	wrong(Create(path+"-b\x00c", resources, nil))
	wrong(Create("", []Resource{{"a\x00", "", Counter}}, nil))
	wrong(Create("", []Resource{{"a", "b\x00", Counter}}, nil))
	wrong(Create("", resources, &Options{Root: "/\x00"}))
	wrong(Create("", resources, &Options{
		Machines: []Machine{{"m\x00", []Node{{0, []int{0}}}}}}))
	keys, err := v.Keys("")
	must(t, err)
	if len(keys) != 1 {
		t.Fatal(keys)
	}
	if _, err = os.Stat(path + "-b"); err == nil {
		t.Fatal("created under a part of its name")
	}
}

func TestTooManyDemands(t *testing.T) {
	l, v, _ := create1(t, nil)
	a, b := account(t, l, "a"), account(t, l, "b")
	too := make([]Demand, MaxDemands+1)
	for i := range too {
		too[i] = Demand{int32(v.Nodes[0]), cores, 1}
	}
	token, err := l.Reserve(a, too[1:], 0)
	must(t, err)
	_, err = l.Reserve(b, too, 0)
	want(t, err, syscall.EINVAL)
	if !strings.Contains(err.Error(), "65 demands, but 64 are the most") {
		t.Fatal(err)
	}
	want(t, l.Change(token, too, 0), syscall.EINVAL)
	want(t, l.Wait(b, too, 0), syscall.EINVAL)
	want(t, l.Release(token, too...), syscall.EINVAL)
	sums(t, v, 0, 0, MaxDemands)
	must(t, l.Wait(b, too[1:], 0))
	must(t, l.Change(token, too[1:], 0))
	must(t, l.Release(token, too[1:]...))
	sums(t, v, 0, 0, MaxDemands)
}

// A number that C's int lacks is none of a node, instead of another one's.
func TestWideNumbers(t *testing.T) {
	if math.MaxInt == math.MaxInt32 {
		t.Skip("int is C's")
	}
	l, v, _ := create1(t, nil)
	a := account(t, l, "a")
	for _, far := range []int{math.MaxInt - math.MaxUint32, math.MinInt} {
		want(t, l.SetCapacity(far, cores, 1), syscall.ENOENT)
		want(t, l.SetGauge(a, far, memory, 1), syscall.ENOENT)
		_, err := v.Totals(far)
		want(t, err, syscall.ENOENT)
		_, err = v.Account(a, far)
		want(t, err, syscall.ENOENT)
		_, err = v.ReadAll(&Filter{Node: far, Resource: All}, nil)
		want(t, err, syscall.EINVAL)
		_, err = v.ReadAll(&Filter{Node: All, Resource: far}, nil)
		want(t, err, syscall.EINVAL)
		_, err = Create("", []Resource{{"a", "", Kind(far + 1)}}, nil)
		want(t, err, syscall.EINVAL)
		_, err = Create("", resources, &Options{
			Machines: []Machine{{"m", []Node{{far, []int{0}}}}}})
		want(t, err, syscall.EINVAL)
		_, err = Create("", resources, &Options{
			Machines: []Machine{{"m", []Node{{0, []int{far}}}}}})
		want(t, err, syscall.EINVAL)
	}
}

func BenchmarkReadAll(b *testing.B) {
	l, v, _ := create1(b, &Options{MaxAccounts: 1 << 16})
	for i := 0; i < 50000; i++ {
		a := account(b, l, fmt.Sprint("job-", i))
		_, err := l.AddEach([]Entry{{a, Local, 0, 1}, {a, Local, 1, 1}})
		must(b, err)
	}
	var entries []Entry
	start := time.Now()
	for i := 0; i < b.N; i++ {
		var err error
		entries, err = v.ReadAll(nil, entries[:0])
		must(b, err)
	}
	b.ReportMetric(float64(time.Since(start).Nanoseconds())/float64(b.N)/
		float64(len(entries)), "ns/amount")
}

func BenchmarkAddEach(b *testing.B) {
	l, _, _ := create1(b, nil)
	a := account(b, l, "a")
	entries := make([]Entry, 1000)
	for i := range entries {
		entries[i] = Entry{a, Local, 0, 1}
	}
	b.ResetTimer()
	for i := 0; i < b.N; i += len(entries) {
		_, err := l.AddEach(entries)
		must(b, err)
	}
}

func BenchmarkAdd(b *testing.B) {
	l, _, _ := create1(b, nil)
	a := account(b, l, "a")
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if err := l.Add(a, 0, 1); err != nil { // must() takes longer
			b.Fatal(err)
		}
	}
}
