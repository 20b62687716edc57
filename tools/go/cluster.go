// SPDX-License-Identifier: MIT

package numatally

// #include <stdlib.h>
// #include <numatally.h>
import "C"

import (
	"strings"
	"unsafe"
)

// Node is a node of a machine that the caller describes.
type Node struct {
	ID   int   // its number on its machine
	CPUs []int // ascending; one node of each machine has some
}

// Machine is a machine of a cluster: the nodes that share memory, ascending by
// number (tally_topo_create(3)).
type Machine struct {
	Name  string
	Nodes []Node
}

// NodeNumber returns the number that a ledger has for a node: of the machine at this
// index in Options.Machines, with this number there.
func NodeNumber(machine, id int) int { return machine<<16 + id }

// arena is C memory that is freed at once.
type arena struct {
	all []unsafe.Pointer
	nul bool // a text has a NUL byte, where it would end to C
}

func (a *arena) alloc(nr, bytes int) unsafe.Pointer {
	p := C.calloc(C.size_t(nr)+1, C.size_t(bytes))
	a.all = append(a.all, p)
	return p
}

func (a *arena) text(s string) *C.char {
	c := C.CString(s)
	a.all = append(a.all, unsafe.Pointer(c))
	a.nul = a.nul || strings.IndexByte(s, 0) >= 0
	return c
}

func (a *arena) free() {
	for _, p := range a.all {
		C.free(p)
	}
}

func (a *arena) nodes(nodes []Node) *C.struct_tally_node {
	array := (*C.struct_tally_node)(a.alloc(len(nodes),
		C.sizeof_struct_tally_node))
	for i, n := range nodes {
		cpus := (*C.int)(a.alloc(len(n.CPUs), C.sizeof_int))
		for k, cpu := range n.CPUs {
			unsafe.Slice(cpus, len(n.CPUs))[k] = toInt(cpu)
		}
		unsafe.Slice(array, len(nodes))[i] = C.struct_tally_node{
			size:         C.sizeof_struct_tally_node,
			id:           toInt(n.ID),
			tier:         -1,
			memory_bytes: -1,
			cpus:         cpus,
			nr_cpus:      C.uint(len(n.CPUs)),
		}
	}
	return array
}

func topoOf(o *Options) (topo *C.struct_tally_topo, err error) {
	var a arena
	defer a.free()
	if len(o.Machines) == 0 {
		var root *C.char
		if o.Root != "" {
			root = a.text(o.Root)
		}
		if a.nul {
			return nil, invalid("tally_topo_open", nulWords)
		}
		err = check("tally_topo_open", C.tally_topo_open(root, &topo))
		return topo, err
	}
	array := (*C.struct_tally_machine)(a.alloc(len(o.Machines),
		C.sizeof_struct_tally_machine))
	for i, m := range o.Machines {
		unsafe.Slice(array, len(o.Machines))[i] = C.struct_tally_machine{
			size:     C.sizeof_struct_tally_machine,
			name:     a.text(m.Name),
			nodes:    a.nodes(m.Nodes),
			nr_nodes: C.uint(len(m.Nodes)),
		}
	}
	if a.nul {
		return nil, invalid("tally_topo_create", nulWords)
	}
	err = check("tally_topo_create",
		C.tally_topo_create(array, C.uint(len(o.Machines)), &topo))
	return topo, err
}
