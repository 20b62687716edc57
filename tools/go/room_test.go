// SPDX-License-Identifier: MIT

package numatally

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// fill reserves all cores of each node, for an account of that node, and makes an
// empty set of candidates.
func fill(t *testing.T, l *Ledger, p *Place) (tokens map[Account]Token,
	of map[int32]Account, c *Candidates) {
	t.Helper()
	tokens, of = map[Account]Token{}, map[int32]Account{}
	for m := 0; m < nrMachines; m++ {
		for n := 0; n < nrNodes; n++ {
			node := int32(NodeNumber(m, n))
			a := account(t, l, fmt.Sprintf("m%d/%d", m, n))
			token, err := l.Reserve(a, []Demand{{node, 0, each}}, 0)
			must(t, err)
			must(t, l.Commit(token))
			tokens[a], of[node] = token, a
		}
	}
	must(t, p.Refresh(AnyMachine))
	c, err := p.Candidates()
	must(t, err)
	t.Cleanup(c.Close)
	return tokens, of, c
}

func TestMakeRoom(t *testing.T) {
	l, _, p := cluster(t)
	tokens, of, c := fill(t, l, p)
	nr := 0
	must(t, c.Refresh(AnyMachine, func(c *Candidate) error {
		if len(c.Demands) != 1 || c.Account != of[c.Demands[0].Node] ||
			c.Demands[0].Amount != each {
			t.Error(c)
		}
		nr++
		c.Priority = 5 + c.Demands[0].Node>>16
		c.Start = time.Unix(int64(nr), 0)
		return nil
	}))
	if nr != nrMachines*nrNodes {
		t.Fatal(nr)
	}
	// The first machine has the least important; on a node each.
	room, err := c.MakeRoom(request(3, 8), AnyMachine, &Eviction{Priority: 100})
	must(t, err)
	if room.Fit.Machine != 0 || len(room.Victims) != 2 || room.OverBudget != 0 {
		t.Fatal(room)
	}
	for _, v := range room.Victims {
		must(t, l.Release(tokens[v]))
	}
	must(t, c.Remove(room.Victims...))
	_, err = l.Reserve(account(t, l, "new"), room.Fit.Demands, 0)
	must(t, err)
	must(t, p.Refresh(AnyMachine))
	// No more room there, and only as important ones are left.
	_, err = c.MakeRoom(request(8), AnyMachine, &Eviction{Priority: 6})
	want(t, err, syscall.ENOSPC)
	room, err = c.MakeRoom(request(5), AnyMachine, &Eviction{Priority: 6})
	must(t, err)
	if len(room.Victims) != 0 || room.Fit.Machine != 0 {
		t.Fatal(room)
	}
	room, err = c.MakeRoom(request(8), 3, &Eviction{Priority: 100})
	must(t, err)
	if room.Fit.Machine != 3 || len(room.Victims) != 1 {
		t.Fatal(room)
	}
	_, err = c.MakeRoom(request(8), nrMachines, &Eviction{Priority: 100})
	want(t, err, syscall.ENOENT)
}

func TestWhatIsSpared(t *testing.T) {
	l, v, p := cluster(t)
	_, of, c := fill(t, l, p)
	all := []Candidate{}
	for node, a := range of {
		all = append(all, Candidate{Account: a, Budget: 1,
			Demands: []Demand{{node, 0, each}}, Kept: node>>16 == 1})
	}
	must(t, c.Add(all...))
	want(t, c.Add(all[0]), syscall.EEXIST)
	e := &Eviction{Priority: 1, Budgets: []uint32{0}}
	room, err := c.MakeRoom(request(1), 0, e)
	must(t, err)
	if len(room.Victims) != 1 || room.OverBudget != 1 {
		t.Fatal(room)
	}
	_, err = c.MakeRoom(request(1), 1, e)
	want(t, err, syscall.ENOSPC)
	asked := 0
	e.Spare = func(accounts []Account, spared []bool) error {
		for i, a := range accounts {
			asked++
			spared[i] = a != of[int32(NodeNumber(2, 1))]
		}
		return nil
	}
	room, err = c.MakeRoom(request(1), AnyMachine, e)
	must(t, err)
	if asked == 0 || len(room.Victims) != 1 ||
		room.Victims[0] != of[int32(NodeNumber(2, 1))] {
		t.Fatal(room)
	}
	failed := errors.New("no answer")
	e.Spare = func([]Account, []bool) error { return failed }
	if _, err = c.MakeRoom(request(1), AnyMachine, e); err != failed {
		t.Fatal(err)
	}
	err = c.Refresh(AnyMachine, func(*Candidate) error { return failed })
	if err != failed {
		t.Fatal(err)
	}
	must(t, c.Remove())
	c.Close()
	c.Close()
	_, err = c.MakeRoom(request(1), 0, e)
	if err != os.ErrClosed || c.Add() != os.ErrClosed ||
		c.Remove() != os.ErrClosed || c.Refresh(0, nil) != os.ErrClosed {
		t.Fatal(err)
	}
	v.Close()
	p.Close()
	if _, err = p.Candidates(); err != os.ErrClosed {
		t.Fatal(err)
	}
}

// More victims than are asked for at first.
func TestManyVictims(t *testing.T) {
	l, v, _ := cluster(t)
	must(t, l.SetCapacity(NodeNumber(0, 0), 0, 1000))
	for i := 0; i < 200; i++ {
		token, err := l.Reserve(account(t, l, fmt.Sprint(i)),
			[]Demand{{int32(NodeNumber(0, 0)), 0, 5}}, 0)
		must(t, err)
		must(t, l.Commit(token))
	}
	wide, err := v.Place()
	must(t, err)
	defer wide.Close()
	c, err := wide.Candidates()
	must(t, err)
	defer c.Close()
	must(t, c.Refresh(0, func(*Candidate) error { return nil }))
	room, err := c.MakeRoom(request(1000), 0, &Eviction{Priority: 1})
	must(t, err)
	if len(room.Victims) != 200 {
		t.Fatal(len(room.Victims))
	}
}
