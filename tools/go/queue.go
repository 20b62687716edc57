// SPDX-License-Identifier: MIT

package numatally

// #include <numatally.h>
//
// static int go_push(struct tally_queue *q, uint64_t now, struct tally_account a,
//		int64_t priority, uint64_t not_before, uint64_t data,
//		struct tally_queue_handle *handle)
// {
//	const struct tally_queue_item item = {
//		.account = a,
//		.priority = priority,
//		.not_before = not_before,
//		.data = {data},
//	};
//
//	return tally_queue_push(q, now, &item, handle);
// }
import "C"

import (
	"os"
	"sync"
	"time"
)

// Item is a pending account: struct tally_queue_item.
type Item struct {
	Account   Account
	Priority  int64     // the highest leaves first
	NotBefore time.Time // zero: it does not wait
	Data      uint64    // the caller's own
	Handle    Handle    // the queue sets it
}

// Handle names an item for as long as it is in its queue.
type Handle struct{ c C.struct_tally_queue_handle }

// Queue is this process's queue of pending accounts (tally_queue(3)). Any number of
// goroutines may use it.
type Queue struct {
	lock  sync.Mutex
	c     *C.struct_tally_queue
	start time.Time // its time 0
}

// NewQueue makes an empty queue for at most this many items.
func NewQueue(maxItems uint64) (*Queue, error) {
	q := &Queue{start: time.Now()}
	o := C.struct_tally_queue_options{
		size:      C.sizeof_struct_tally_queue_options,
		max_items: C.uint64_t(maxItems),
	}
	err := check("tally_queue_create", C.tally_queue_create(&o, &q.c))
	if err != nil {
		return nil, err
	}
	return q, nil
}

// Close frees the queue. Closing it twice does nothing.
func (q *Queue) Close() {
	q.lock.Lock()
	defer q.lock.Unlock()
	C.tally_queue_destroy(q.c)
	q.c = nil
}

// ticks is the queue's time, in ns; 0 for what is past its start.
func (q *Queue) ticks(t time.Time) C.uint64_t {
	if d := t.Sub(q.start); d > 0 {
		return C.uint64_t(d)
	}
	return 0
}

// Push puts an item into the queue. ENOSPC: the queue is full.
func (q *Queue) Push(item Item) (Handle, error) {
	var handle Handle
	q.lock.Lock()
	defer q.lock.Unlock()
	if q.c == nil {
		return handle, os.ErrClosed
	}
	err := check("tally_queue_push", C.go_push(q.c, q.ticks(time.Now()),
		item.Account.c(), C.int64_t(item.Priority),
		q.ticks(item.NotBefore), C.uint64_t(item.Data), &handle.c))
	return handle, err
}

func (q *Queue) itemOf(c *C.struct_tally_queue_item) Item {
	item := Item{
		Account: Account{uint32(c.account.row),
			uint32(c.account.generation)},
		Priority: int64(c.priority),
		Data:     uint64(c.data[0]),
		Handle:   Handle{c.handle},
	}
	if c.not_before != 0 {
		item.NotBefore = q.start.Add(time.Duration(c.not_before))
	}
	return item
}

// Pop takes out the item that is first among those that are ready. ENOENT: the queue
// is empty; EAGAIN: none is ready, and Due says when one will be.
func (q *Queue) Pop() (Item, error) {
	var item C.struct_tally_queue_item
	q.lock.Lock()
	defer q.lock.Unlock()
	if q.c == nil {
		return Item{}, os.ErrClosed
	}
	err := check("tally_queue_pop",
		C.tally_queue_pop(q.c, q.ticks(time.Now()), &item))
	if err != nil {
		return Item{}, err
	}
	return q.itemOf(&item), nil
}

// Remove takes out the item that the handle names. ESTALE: it has left the queue.
func (q *Queue) Remove(h Handle) (Item, error) {
	var item C.struct_tally_queue_item
	q.lock.Lock()
	defer q.lock.Unlock()
	if q.c == nil {
		return Item{}, os.ErrClosed
	}
	err := check("tally_queue_remove", C.tally_queue_remove(q.c, h.c, &item))
	if err != nil {
		return Item{}, err
	}
	return q.itemOf(&item), nil
}

// SetPriority changes an item's priority. ESTALE: it has left the queue.
func (q *Queue) SetPriority(h Handle, priority int64) error {
	q.lock.Lock()
	defer q.lock.Unlock()
	if q.c == nil {
		return os.ErrClosed
	}
	return check("tally_queue_set_priority",
		C.tally_queue_set_priority(q.c, h.c, C.int64_t(priority)))
}

// BackOff lets an item wait until then. ESTALE: it has left the queue.
func (q *Queue) BackOff(h Handle, until time.Time) error {
	q.lock.Lock()
	defer q.lock.Unlock()
	if q.c == nil {
		return os.ErrClosed
	}
	return check("tally_queue_back_off", C.tally_queue_back_off(q.c,
		q.ticks(time.Now()), h.c, q.ticks(until)))
}

// Due returns when Pop finds an item: the zero time, if one is ready. ENOENT: the
// queue is empty.
func (q *Queue) Due() (time.Time, error) {
	var when C.uint64_t
	q.lock.Lock()
	defer q.lock.Unlock()
	if q.c == nil {
		return time.Time{}, os.ErrClosed
	}
	err := check("tally_queue_due", C.tally_queue_due(q.c, &when))
	if err != nil || when == 0 {
		return time.Time{}, err
	}
	return q.start.Add(time.Duration(when)), nil
}

// Len returns the number of items.
func (q *Queue) Len() int {
	q.lock.Lock()
	defer q.lock.Unlock()
	if q.c == nil {
		return 0
	}
	return int(C.tally_queue_len(q.c))
}
