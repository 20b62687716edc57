// SPDX-License-Identifier: MIT

package numatally

// #include <stdlib.h>
// #include <numatally.h>
//
// // As in numatally.go: what points to the caller's arrays is on C's stack.
//
// static int go_change(struct tally_ledger *l, struct tally_token token,
//		const struct tally_demand *demands, unsigned int nr,
//		int64_t lease_ns)
// {
//	struct tally_request request = {
//		.size = sizeof(request),
//		.demands = demands,
//		.nr_demands = nr,
//		.lease_ns = lease_ns,
//	};
//
//	return tally_limit_change(l, token, &request, NULL);
// }
//
// static int go_wait(struct tally_ledger *l, struct tally_account a,
//		const struct tally_demand *demands, unsigned int nr,
//		int64_t timeout_ns)
// {
//	struct tally_request request = {
//		.size = sizeof(request),
//		.demands = demands,
//		.nr_demands = nr,
//	};
//
//	return tally_limit_wait(l, a, &request, timeout_ns, NULL);
// }
//
// #define FEW 8
//
// // The parts' amounts are one array; lens has the length of each. The parts are in
// // few, or the caller's to free; NULL: no memory
// static struct tally_place_request go_request(
//		const struct tally_amount *amounts, const unsigned int *lens,
//		unsigned int nr_parts, int policy, int scope, int score,
//		struct tally_place_part *few)
// {
//	struct tally_place_part *parts = few;
//
//	if (nr_parts > FEW)
//		parts = malloc(nr_parts * sizeof(*parts));
//	for (unsigned int i = 0; parts && i < nr_parts; i++) {
//		parts[i].amounts = amounts;
//		parts[i].nr_amounts = lens[i];
//		amounts += lens[i];
//	}
//	return (struct tally_place_request){
//		.size = sizeof(struct tally_place_request),
//		.parts = parts,
//		.nr_parts = nr_parts,
//		.policy = policy,
//		.scope = scope,
//		.score = score,
//	};
// }
//
// static int go_fit(const struct tally_place *place,
//		const struct tally_amount *amounts, const unsigned int *lens,
//		unsigned int nr_parts, int policy, int scope, int score,
//		uint32_t machine, struct tally_fit *fit)
// {
//	struct tally_place_part few[FEW];
//	struct tally_place_request request = go_request(amounts, lens,
//			nr_parts, policy, scope, score, few);
//	int err = -ENOMEM;
//
//	fit->size = sizeof(*fit);
//	if (request.parts)
//		err = tally_place_fit(place, &request, machine, NULL, fit);
//	if (request.parts != few)
//		free((void *)request.parts);
//	return err;
// }
//
// extern int goSpare(uintptr_t spare, struct tally_account *accounts,
//		unsigned int nr, bool *spared);
//
// static int go_spare(void *arg, const struct tally_account *accounts,
//		unsigned int nr, bool *spared)
// {
//	return goSpare((uintptr_t)arg, (struct tally_account *)accounts, nr,
//			spared);
// }
//
// extern int goDescribe(uintptr_t describe, struct tally_candidate *candidate);
//
// static int go_describe(void *arg, const struct tally_reservation *r,
//		struct tally_candidate *candidate)
// {
//	(void)r;
//	return goDescribe((uintptr_t)arg, candidate);
// }
//
// static int go_collect(struct tally_candidates *candidates,
//		const struct tally_view *view, uint32_t machine,
//		uintptr_t describe)
// {
//	return tally_place_candidates_refresh(candidates, view, machine,
//			go_describe, (void *)describe);
// }
//
// struct go_eviction {
//	int32_t priority;
//	uint32_t nr_budgets;
//	uintptr_t spare; // 0: none
//	uint32_t max_victims, nr_victims, nr_over_budget;
// };
//
// static int go_make_room(const struct tally_candidates *candidates,
//		const struct tally_amount *amounts, const unsigned int *lens,
//		unsigned int nr_parts, int policy, int scope, int score,
//		uint32_t machine, struct go_eviction *e,
//		const uint32_t *budgets, struct tally_account *victims,
//		struct tally_fit *fit)
// {
//	struct tally_place_part few[FEW];
//	struct tally_place_request request = go_request(amounts, lens,
//			nr_parts, policy, scope, score, few);
//	struct tally_eviction eviction = {
//		.size = sizeof(eviction),
//		.priority = e->priority,
//		.nr_budgets = e->nr_budgets,
//		.budgets = budgets,
//		.spare = e->spare ? go_spare : NULL,
//		.arg = (void *)e->spare,
//	};
//	struct tally_room room = {
//		.size = sizeof(room),
//		.victims = victims,
//		.max_victims = e->max_victims,
//	};
//	int err = -ENOMEM;
//
//	fit->size = sizeof(*fit);
//	if (request.parts)
//		err = tally_place_make_room(candidates, &request, machine,
//				&eviction, &room, fit);
//	if (request.parts != few)
//		free((void *)request.parts);
//	e->nr_victims = room.nr_victims;
//	e->nr_over_budget = room.nr_over_budget;
//	return err;
// }
//
// #include <errno.h>
import "C"

import (
	"math"
	"os"
	"runtime/cgo"
	"sync"
	"time"
	"unsafe"
)

// Amount is an amount of a resource: struct tally_amount.
type Amount struct {
	Resource uint32
	Amount   int64
}

var _ = [1]struct{}{}[unsafe.Sizeof(Amount{})-C.sizeof_struct_tally_amount]

// Policy is how a request is aligned to nodes, as Kubernetes' Topology Manager does
// it.
type Policy int

const (
	PolicyNone       Policy = C.TALLY_PLACE_NONE
	PolicyBestEffort Policy = C.TALLY_PLACE_BEST_EFFORT
	PolicyRestricted Policy = C.TALLY_PLACE_RESTRICTED
	PolicySingleNode Policy = C.TALLY_PLACE_SINGLE_NODE
)

// Scope is what is aligned together.
type Scope int

const (
	ScopeContainer Scope = C.TALLY_PLACE_CONTAINER
	ScopePod       Scope = C.TALLY_PLACE_POD
)

// Score is which machine is the best.
type Score int

const (
	ScoreFirst          Score = C.TALLY_PLACE_FIRST
	ScoreBest           Score = C.TALLY_PLACE_BEST
	ScoreLeastAllocated Score = C.TALLY_PLACE_LEAST_ALLOCATED
	ScoreMostAllocated  Score = C.TALLY_PLACE_MOST_ALLOCATED
	ScoreBalanced       Score = C.TALLY_PLACE_BALANCED
	ScoreFewestNodes    Score = C.TALLY_PLACE_FEWEST_NODES
)

// AnyMachine stands for the best machine of all.
const AnyMachine = -1

// Request is what is asked for: the amounts of a pod's containers.
type Request struct {
	Parts  [][]Amount
	Policy Policy
	Scope  Scope
	Score  Score
}

// Fit is where a request fits: struct tally_fit. Its demands are for
// [Ledger.Reserve].
type Fit struct {
	Machine   int
	Preferred bool    // every hint is
	Nodes     uint64  // bit i: the machine's node at index i
	Score     float64 // the higher, the better
	Demands   []Demand
}

// Place is the free amounts of a ledger's nodes, in columns (tally_place(3)). A fit
// says what was free when they were filled; the reserve decides.
type Place struct {
	lock     sync.RWMutex
	c        *C.struct_tally_place
	view     *View
	machines []uint32 // first node of each, and the number of nodes
}

// Place makes the columns of the view's nodes. The view must not be closed before
// them.
func (v *View) Place() (*Place, error) {
	if v.c == nil {
		return nil, os.ErrClosed
	}
	p := &Place{view: v}
	err := check("tally_place_create", C.tally_place_create(v.c, nil, &p.c))
	if err != nil {
		return nil, err
	}
	for _, m := range unsafe.Slice(p.c.machines, p.c.nr_machines+1) {
		p.machines = append(p.machines, uint32(m))
	}
	return p, nil
}

// Close frees the columns. Closing them twice does nothing.
func (p *Place) Close() {
	p.lock.Lock()
	defer p.lock.Unlock()
	C.tally_place_destroy(p.c)
	p.c = nil
}

// Machines returns how many there are.
func (p *Place) Machines() int { return len(p.machines) - 1 }

// Refresh fills the columns of a machine's nodes again, or of all (AnyMachine).
func (p *Place) Refresh(machine int) error {
	from, to := uint32(0), p.machines[p.Machines()]
	if machine != AnyMachine {
		from, to = p.machines[machine], p.machines[machine+1]
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.c == nil || p.view.c == nil {
		return os.ErrClosed
	}
	return check("tally_place_refresh", C.tally_place_refresh(p.c, p.view.c,
		C.uint32_t(from), C.uint32_t(to-from)))
}

// Fit finds room for the request on the machine at this index, or on the best one
// (AnyMachine). A plugin's Filter is a Fit on the machine in question, ENOSPC being
// no; the fit's Score is its Score.
func (p *Place) Fit(r *Request, machine int) (Fit, error) {
	var few [16]Amount
	var fewLens [8]C.uint
	amounts, lens := r.flat(few[:0], fewLens[:0])
	var fit C.struct_tally_fit
	p.lock.RLock()
	defer p.lock.RUnlock()
	if p.c == nil {
		return Fit{}, os.ErrClosed
	}
	err := check("tally_place_fit", C.go_fit(p.c,
		(*C.struct_tally_amount)(unsafe.Pointer(&amounts[0])), &lens[0],
		C.uint(len(r.Parts)), toInt(int(r.Policy)), toInt(int(r.Scope)),
		toInt(int(r.Score)), machineIndex(machine), &fit))
	if err != nil {
		return Fit{}, err
	}
	return fitOf(&fit), nil
}

// flat appends the parts' amounts, and the length of each part, and something, so
// that neither is empty.
func (r *Request) flat(amounts []Amount, lens []C.uint) ([]Amount, []C.uint) {
	for _, part := range r.Parts {
		amounts = append(amounts, part...)
		lens = append(lens, C.uint(len(part)))
	}
	return append(amounts, Amount{}), append(lens, 0)
}

func machineIndex(machine int) C.uint32_t {
	if machine == AnyMachine {
		return C.TALLY_PLACE_ANY
	}
	if machine < 0 || machine > math.MaxInt32 {
		return C.TALLY_PLACE_ANY - 1 // which no place has
	}
	return C.uint32_t(machine)
}

func fitOf(fit *C.struct_tally_fit) Fit {
	demands := make([]Demand, fit.nr_demands)
	copy(demands, (*[C.TALLY_LIMIT_MAX_DEMANDS]Demand)(
		unsafe.Pointer(&fit.demands))[:fit.nr_demands])
	return Fit{int(fit.machine), bool(fit.preferred), uint64(fit.nodes),
		float64(fit.score), demands}
}

func (c *Candidates) collect(machine int, describe C.uintptr_t) error {
	return check("tally_place_candidates_refresh", C.go_collect(c.c,
		c.place.view.c, machineIndex(machine), describe))
}

// Eviction is for which request room is made: struct tally_eviction.
type Eviction struct {
	Priority int32    // of the request: what is lower may be evicted
	Budgets  []uint32 // how many evictions each still allows
	// Spare sets spared[i] if accounts[i] must not be evicted. nil: all may.
	Spare func(accounts []Account, spared []bool) error
}

// Room is whose eviction makes room: struct tally_room.
type Room struct {
	Victims    []Account // the most important first
	OverBudget int       // of them
	Fit        Fit       // where the request then fits
}

// MakeRoom finds victims on the machine at this index, or on that where eviction
// costs least (AnyMachine). ENOSPC: on none would the request fit. Nothing is
// evicted: [Ledger.Release] what the victims have, then [Ledger.Reserve] the fit's
// demands.
func (c *Candidates) MakeRoom(r *Request, machine int, e *Eviction) (Room, error) {
	amounts, lens := r.flat(nil, nil)
	budgets := append(append([]uint32{}, e.Budgets...), 0) // never empty
	s := &sparer{spare: e.Spare}
	how := C.struct_go_eviction{priority: C.int32_t(e.Priority),
		nr_budgets: C.uint32_t(len(e.Budgets))}
	if e.Spare != nil {
		handle := cgo.NewHandle(s)
		defer handle.Delete()
		how.spare = C.uintptr_t(handle)
	}
	c.lock.RLock()
	defer c.lock.RUnlock()
	c.place.lock.RLock()
	defer c.place.lock.RUnlock()
	if c.c == nil || c.place.c == nil {
		return Room{}, os.ErrClosed
	}
	for {
		var fit C.struct_tally_fit
		victims := make([]Account, max(64, 2*how.max_victims))
		how.max_victims = C.uint32_t(len(victims))
		err := C.go_make_room(c.c,
			(*C.struct_tally_amount)(unsafe.Pointer(&amounts[0])),
			&lens[0], C.uint(len(r.Parts)), toInt(int(r.Policy)),
			toInt(int(r.Scope)), toInt(int(r.Score)), machineIndex(machine), &how,
			(*C.uint32_t)(unsafe.Pointer(&budgets[0])),
			(*C.struct_tally_account)(unsafe.Pointer(&victims[0])), &fit)
		if s.err != nil {
			return Room{}, s.err
		}
		if err == -C.EOVERFLOW {
			continue
		}
		if err != 0 {
			return Room{}, check("tally_place_make_room", err)
		}
		return Room{victims[:how.nr_victims], int(how.nr_over_budget),
			fitOf(&fit)}, nil
	}
}

func max(a, b C.uint32_t) C.uint32_t {
	if a > b {
		return a
	}
	return b
}

// Claim claims a pending account, so that no other scheduler decides about it at the
// same time, with a lease unless that is 0 (tally_limit_claim(3)). EBUSY: another
// has it; EEXIST: it has a committed reservation. [Ledger.Change] reserves then, and
// [Ledger.Cancel] ends the claim.
func (l *Ledger) Claim(a Account, lease time.Duration) (Token, error) {
	var token Token
	if l.c == nil {
		return token, os.ErrClosed
	}
	err := check("tally_limit_claim", C.tally_limit_claim(l.c, a.c(),
		C.int64_t(lease.Nanoseconds()), &token.c))
	return token, err
}

// Change reserves positive amounts and gives negative ones back, all or none, and
// begins the lease anew unless that is 0 (tally_limit_change(3)).
func (l *Ledger) Change(t Token, demands []Demand, lease time.Duration) error {
	if l.c == nil {
		return os.ErrClosed
	}
	at, nr, err := demandsOf("tally_limit_change", demands)
	if err != nil {
		return err
	}
	return check("tally_limit_change", C.go_change(l.c, t.c, at, nr,
		C.int64_t(lease.Nanoseconds())))
}

// Wait waits until the demands would be granted, for at most this time, or without
// a bound if it is negative. ETIMEDOUT: a limit still refuses them
// (tally_limit_wait(3)). The goroutine keeps its thread meanwhile.
func (l *Ledger) Wait(a Account, demands []Demand, timeout time.Duration) error {
	if l.c == nil {
		return os.ErrClosed
	}
	at, nr, err := demandsOf("tally_limit_wait", demands)
	if err != nil {
		return err
	}
	return check("tally_limit_wait", C.go_wait(l.c, a.c(), at, nr,
		C.int64_t(timeout.Nanoseconds())))
}
