// SPDX-License-Identifier: MIT

// A monitoring agent: once a second (os.Args[2] times; else for ever) it prints what
// is in the ledger os.Args[1] at one moment. It needs read permission alone.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"numatally"
)

func snapshot(r *numatally.Reader) (*numatally.View, error) {
	v, err := r.Snapshot(true, time.Second)
	if errors.Is(err, syscall.ESRCH) { // no writer serves
		return r.View()
	}
	return v, err
}

func print(r *numatally.Reader, entries []numatally.Entry) ([]numatally.Entry, error) {
	v, err := snapshot(r)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	keys, err := v.Keys("")
	if err != nil {
		return nil, err
	}
	entries, err = v.ReadAll(nil, entries[:0])
	for _, e := range entries {
		fmt.Printf("%s: node %d: %d %s\n", keys[e.Account], e.Node,
			e.Amount, v.Resources[e.Resource].Name)
	}
	return entries, err
}

func run(name string, times int) error {
	path, err := numatally.Find(name)
	if err != nil {
		return err
	}
	r, err := numatally.OpenReader(path)
	if err != nil {
		return err
	}
	defer r.Close()
	var entries []numatally.Entry
	for n := 0; n != times && err == nil; n++ {
		if n > 0 {
			time.Sleep(time.Second)
		}
		entries, err = print(r, entries)
	}
	return err
}

func main() {
	times := -1
	if len(os.Args) > 2 {
		times, _ = strconv.Atoi(os.Args[2])
	}
	if err := run(os.Args[1], times); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}
