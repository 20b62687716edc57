// SPDX-License-Identifier: MIT

package numatally

// #include <numatally.h>
import "C"

import (
	"os"
	"runtime/cgo"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// Candidate is an account that may be evicted: struct tally_candidate.
type Candidate struct {
	Account  Account
	Demands  []Demand // what its eviction gives back
	Priority int32    // a higher one is more important
	Start    time.Time
	Group    uint32 // evicted whole or not at all; 0: none
	Budget   uint32 // eviction counts for Eviction.Budgets[Budget-1]; 0: for none
	Kept     bool   // it is not evicted
}

// Candidates is a set of accounts that may be evicted, beside the columns of a
// [Place], which must not be closed before it (place_room(3)). Any number of
// goroutines may use it.
type Candidates struct {
	lock  sync.RWMutex
	c     *C.struct_tally_candidates
	place *Place
}

// Candidates makes an empty set.
func (p *Place) Candidates() (*Candidates, error) {
	p.lock.RLock()
	defer p.lock.RUnlock()
	if p.c == nil {
		return nil, os.ErrClosed
	}
	c := &Candidates{place: p}
	err := check("tally_place_candidates_create",
		C.tally_place_candidates_create(p.c, &c.c))
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Close frees the set. Closing it twice does nothing.
func (c *Candidates) Close() {
	c.lock.Lock()
	defer c.lock.Unlock()
	C.tally_place_candidates_destroy(c.c)
	c.c = nil
}

func (c *Candidates) lockOpen() error {
	c.lock.Lock()
	if c.c == nil {
		c.lock.Unlock()
		return os.ErrClosed
	}
	return nil
}

// Add adds candidates, all of them or none. EEXIST: one is there already.
func (c *Candidates) Add(candidates ...Candidate) error {
	if err := c.lockOpen(); err != nil {
		return err
	}
	defer c.lock.Unlock()
	var a arena
	defer a.free()
	array := (*C.struct_tally_candidate)(a.alloc(len(candidates),
		C.sizeof_struct_tally_candidate))
	for i, from := range candidates {
		demands := (*Demand)(a.alloc(len(from.Demands),
			C.sizeof_struct_tally_demand))
		copy(unsafe.Slice(demands, len(from.Demands)), from.Demands)
		to := &unsafe.Slice(array, len(candidates))[i]
		to.account = from.Account.c()
		to.demands = (*C.struct_tally_demand)(unsafe.Pointer(demands))
		to.nr_demands = C.uint(len(from.Demands))
		from.describe(to)
	}
	return check("tally_place_candidates_add",
		C.tally_place_candidates_add(c.c, array, C.uint(len(candidates))))
}

func (c *Candidate) describe(to *C.struct_tally_candidate) {
	to.priority = C.int32_t(c.Priority)
	to.start_ns = C.int64_t(c.Start.UnixNano())
	to.group = C.uint32_t(c.Group)
	to.budget = C.uint32_t(c.Budget)
	to.kept = C.bool(c.Kept)
}

// Remove removes the candidates of these accounts, such as victims.
func (c *Candidates) Remove(accounts ...Account) error {
	if err := c.lockOpen(); err != nil {
		return err
	}
	defer c.lock.Unlock()
	if len(accounts) > 0 {
		C.tally_place_candidates_remove(c.c,
			(*C.struct_tally_account)(unsafe.Pointer(&accounts[0])),
			C.uint(len(accounts)))
	}
	return nil
}

type describer struct {
	describe func(*Candidate) error
	err      error
}

//export goDescribe
func goDescribe(handle C.uintptr_t, candidate *C.struct_tally_candidate) C.int {
	d := cgo.Handle(handle).Value().(*describer)
	a := candidate.account
	about := Candidate{Account: Account{uint32(a.row), uint32(a.generation)}}
	about.Demands = append(about.Demands, unsafe.Slice(
		(*Demand)(unsafe.Pointer(candidate.demands)),
		candidate.nr_demands)...)
	if d.err = d.describe(&about); d.err != nil {
		return -C.int(syscall.ECANCELED)
	}
	about.describe(candidate)
	return 0
}

type sparer struct {
	spare func([]Account, []bool) error
	err   error
}

//export goSpare
func goSpare(handle C.uintptr_t, accounts *C.struct_tally_account, nr C.uint,
	spared *C.bool) C.int {
	s := cgo.Handle(handle).Value().(*sparer)
	s.err = s.spare(unsafe.Slice((*Account)(unsafe.Pointer(accounts)), nr),
		unsafe.Slice((*bool)(unsafe.Pointer(spared)), nr))
	if s.err != nil {
		return -C.int(syscall.ECANCELED)
	}
	return 0
}

// Refresh replaces the candidates on a machine, or all (AnyMachine), by the
// accounts that have a reservation there now. describe sets what a candidate has
// but for its account and demands; if it fails, so does Refresh, with its error.
func (c *Candidates) Refresh(machine int, describe func(*Candidate) error) error {
	if err := c.lockOpen(); err != nil {
		return err
	}
	defer c.lock.Unlock()
	if c.place.view.c == nil {
		return os.ErrClosed
	}
	d := &describer{describe: describe}
	handle := cgo.NewHandle(d)
	defer handle.Delete()
	err := c.collect(machine, C.uintptr_t(handle))
	if d.err != nil {
		return d.err
	}
	return err
}
