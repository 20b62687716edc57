// SPDX-License-Identifier: MIT

package numatally

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	nrMachines = 4
	nrNodes    = 2
	each       = 8 // cores of a node
)

// cluster makes a ledger of machines with two nodes.
func cluster(t testing.TB) (*Ledger, *View, *Place) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "numatally-go")
	if err != nil {
		dir = t.TempDir()
	}
	var machines []Machine
	for m := 0; m < nrMachines; m++ {
		machines = append(machines, Machine{fmt.Sprint("m", m),
			[]Node{{0, []int{0, 1}}, {1, []int{2, 3}}}})
	}
	l, err := Create(filepath.Join(dir, "ledger"),
		[]Resource{{"cores", "", Reservable}}, &Options{Machines: machines})
	must(t, err)
	for m := 0; m < nrMachines; m++ {
		for n := 0; n < nrNodes; n++ {
			must(t, l.SetCapacity(NodeNumber(m, n), 0, each))
		}
	}
	v, err := l.View()
	must(t, err)
	p, err := v.Place()
	must(t, err)
	t.Cleanup(func() {
		p.Close()
		v.Close()
		l.Close()
		os.RemoveAll(dir)
	})
	return l, v, p
}

func request(cores ...int64) *Request {
	r := &Request{Policy: PolicySingleNode, Score: ScoreMostAllocated}
	for _, n := range cores {
		r.Parts = append(r.Parts, []Amount{{0, n}})
	}
	return r
}

func TestFit(t *testing.T) {
	l, v, p := cluster(t)
	if p.Machines() != nrMachines {
		t.Fatal(p.Machines())
	}
	// Two containers on a node each.
	fit, err := p.Fit(request(5, 6), 2)
	must(t, err)
	if fit.Machine != 2 || !fit.Preferred || fit.Nodes != 3 ||
		fmt.Sprint(fit.Demands) != fmt.Sprint([]Demand{
			{int32(NodeNumber(2, 0)), 0, 5},
			{int32(NodeNumber(2, 1)), 0, 6}}) {
		t.Fatal(fit)
	}
	_, err = p.Fit(request(9), AnyMachine)
	want(t, err, syscall.ERANGE)
	_, err = p.Fit(request(), AnyMachine)
	want(t, err, syscall.EINVAL)
	_, err = p.Fit(request(1), nrMachines)
	want(t, err, syscall.ENOENT)
	for _, machine := range []int{-2, math.MinInt, math.MaxInt - math.MaxUint32} {
		_, err = p.Fit(request(1), machine)
		want(t, err, syscall.ENOENT)
	}
	wide := request(1)
	wide.Policy = math.MinInt
	_, err = p.Fit(wide, AnyMachine)
	want(t, err, syscall.EINVAL)
	token, err := l.Reserve(account(t, l, "a"), fit.Demands, 0)
	must(t, err)
	_, err = p.Fit(request(4), 2)
	must(t, err) // as it was
	must(t, p.Refresh(2))
	_, err = p.Fit(request(4), 2)
	want(t, err, syscall.ENOSPC)
	// As many containers as C's stack has no room for.
	parts := request(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	fit, err = p.Fit(parts, AnyMachine)
	must(t, err)
	if fit.Machine == 2 || len(fit.Demands) != 2 {
		t.Fatal(fit)
	}
	must(t, l.Cancel(token))
	must(t, p.Refresh(AnyMachine))
	_, err = p.Fit(request(8, 8), 2)
	must(t, err)
	p.Close()
	p.Close()
	_, err = p.Fit(request(1), 0)
	if err != os.ErrClosed || p.Refresh(0) != os.ErrClosed {
		t.Fatal(err)
	}
	v.Close()
	if _, err = v.Place(); err != os.ErrClosed {
		t.Fatal(err)
	}
}

func TestClaims(t *testing.T) {
	l, _, p := cluster(t)
	a := account(t, l, "a")
	token, err := l.Claim(a, time.Hour)
	must(t, err)
	_, err = l.Claim(a, 0)
	want(t, err, syscall.EBUSY)
	fit, err := p.Fit(request(3), AnyMachine)
	must(t, err)
	must(t, l.Change(token, fit.Demands, 0))
	want(t, l.Change(token, []Demand{{fit.Demands[0].Node, 0, 6}}, 0),
		syscall.ENOSPC)
	must(t, l.Commit(token))
	_, err = l.Claim(a, 0)
	want(t, err, syscall.EEXIST)
	b := account(t, l, "b")
	too := []Demand{{fit.Demands[0].Node, 0, 6}}
	want(t, l.Wait(b, too, time.Millisecond), syscall.ETIMEDOUT)
	go func() {
		time.Sleep(10 * time.Millisecond)
		if err := l.Release(token); err != nil {
			t.Error(err)
		}
	}()
	must(t, l.Wait(b, too, -1))
	_, err = l.Reserve(b, too, 0)
	must(t, err)
}

func TestQueue(t *testing.T) {
	q, err := NewQueue(3)
	must(t, err)
	defer q.Close()
	_, err = q.Pop()
	want(t, err, syscall.ENOENT)
	_, err = q.Due()
	want(t, err, syscall.ENOENT)
	low, err := q.Push(Item{Account: Account{1, 1}, Priority: -1, Data: 7})
	must(t, err)
	_, err = q.Push(Item{Account: Account{2, 1}})
	must(t, err)
	late, err := q.Push(Item{Account: Account{3, 1}, Priority: 9,
		NotBefore: time.Now().Add(time.Hour)})
	must(t, err)
	_, err = q.Push(Item{})
	want(t, err, syscall.ENOSPC)
	item, err := q.Pop()
	must(t, err)
	if item.Account.Row != 2 || q.Len() != 2 {
		t.Fatal(item)
	}
	item, err = q.Pop()
	must(t, err)
	if item.Account.Row != 1 || item.Data != 7 || item.Priority != -1 ||
		item.Handle != low {
		t.Fatal(item)
	}
	_, err = q.Remove(low)
	want(t, err, syscall.ESTALE)
	_, err = q.Pop()
	want(t, err, syscall.EAGAIN)
	when, err := q.Due()
	must(t, err)
	if d := time.Until(when); d <= 0 || d > time.Hour {
		t.Fatal(d)
	}
	must(t, q.BackOff(late, time.Time{}))
	if when, err = q.Due(); err != nil || !when.IsZero() {
		t.Fatal(when, err)
	}
	must(t, q.SetPriority(late, 1))
	item, err = q.Remove(late)
	must(t, err)
	if item.Priority != 1 || !item.NotBefore.IsZero() {
		t.Fatal(item)
	}
	q.Close()
	if _, err = q.Pop(); err != os.ErrClosed {
		t.Fatal(err)
	}
}

// 64 goroutines do what a scheduler plugin does: filter and score the machines,
// reserve on the best one, and unreserve what they don't keep.
func TestPlugin(t *testing.T) {
	const nr = 64
	var wait sync.WaitGroup
	var over, kept, placed, tried int64
	l, v, p := cluster(t)
	q, err := NewQueue(nr)
	must(t, err)
	defer q.Close()
	for i := 0; i < nr; i++ {
		_, err := q.Push(Item{Account: account(t, l, fmt.Sprint("pod-", i)),
			Priority: int64(i % 3), Data: uint64(1 + i%4)})
		must(t, err)
	}
	best := func(r *Request) (fit Fit, err error) {
		err = syscall.ENOSPC
		for m := 0; m < p.Machines(); m++ {
			f, why := p.Fit(r, m)
			if errors.Is(why, syscall.ENOSPC) {
				continue
			}
			if why != nil {
				return f, why
			}
			if err != nil || f.Score > fit.Score {
				fit, err = f, nil
			}
		}
		return fit, err
	}
	// Return whether it has room.
	place := func(item Item) (Token, error) {
		token, err := l.Claim(item.Account, time.Minute)
		if err != nil {
			return token, err
		}
		for {
			var fit Fit
			fit, err = best(request(int64(item.Data)))
			if err != nil {
				break
			}
			err = l.Change(token, fit.Demands, 0)
			if e := p.Refresh(fit.Machine); e != nil {
				return token, e
			}
			if !errors.Is(err, syscall.ENOSPC) {
				break
			}
		}
		if err != nil {
			if e := l.Cancel(token); e != nil {
				return token, e
			}
		}
		return token, err
	}
	for i := 0; i < nr; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			for n := 0; n < 100; n++ {
				item, err := q.Pop()
				if errors.Is(err, syscall.ENOENT) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				token, err := place(item)
				atomic.AddInt64(&tried, 1)
				if err == nil {
					atomic.AddInt64(&placed, 1)
					held, e := v.Totals(All)
					if e != nil || held[0] > nrMachines*nrNodes*each {
						atomic.AddInt64(&over, 1)
					}
					if n%8 == 7 {
						err = l.Commit(token)
						atomic.AddInt64(&kept, int64(item.Data))
						if err != nil {
							t.Error(err)
						}
						continue
					}
					err = l.Cancel(token)
				}
				if errors.Is(err, syscall.ENOSPC) {
					err = p.Refresh(AnyMachine)
				}
				if err == nil {
					_, err = q.Push(item)
				}
				if err != nil {
					t.Error(err)
				}
			}
		}(i)
	}
	wait.Wait()
	held, err := v.Totals(All)
	must(t, err)
	if over != 0 || placed == 0 || held[0] != kept {
		t.Fatal(over, placed, kept, held)
	}
	t.Log(tried, " tried, ", placed, " placed, ", kept, " cores kept")
}

func BenchmarkNothing(b *testing.B) {
	for i := 0; i < b.N; i++ {
		nothing()
	}
}

// How a reservation and a release compare with those in C and two empty calls.
func BenchmarkReserve(b *testing.B) {
	l, _, _ := cluster(b)
	a := account(b, l, "a")
	demands := []Demand{{0, 0, 1}}
	timed := func(what func()) float64 {
		start := time.Now()
		what()
		return float64(time.Since(start).Nanoseconds()) / float64(b.N)
	}
	inC := timed(func() { must(b, reserveOften(l, a, 0, 0, b.N)) })
	empty := timed(func() {
		for i := 0; i < b.N; i++ {
			nothing()
		}
	})
	inGo := timed(func() {
		for i := 0; i < b.N; i++ {
			token, err := l.Reserve(a, demands, 0)
			if err == nil {
				err = l.Release(token)
			}
			if err != nil { // must() takes as long as a reservation
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(inGo, "ns/go")
	b.ReportMetric(inC, "ns/c")
	b.ReportMetric(empty, "ns/call")
	b.ReportMetric(inGo/(inC+2*empty), "ratio")
}
