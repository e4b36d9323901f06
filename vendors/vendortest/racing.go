package vendortest

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// lost: of many who count upwards at once, with two drivers, no step is lost.
func lost(s *session) {
	const workers, steps = 4, 8
	drivers := []vendors.Driver{s.Driver}
	if s.Again != nil {
		again := s.Again()
		defer func() { require.NoError(s, again.Close()) }()
		drivers = append(drivers, again)
	}
	// Every worker has values of its own: what another one has written is not what this one asks for.
	number := map[resource.Hash]int{}
	for n := range workers * (workers*steps + 1) {
		number[s.o.Vary(n).Hash()] = n / workers
	}
	s.apply(nil, s.value(0))
	var all sync.WaitGroup
	errs := make(chan error, workers)
	for w := range workers {
		all.Go(func() {
			errs <- s.count(drivers[w%len(drivers)], number, steps, func(n int) int { return n*workers + w })
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(s, err)
	}
	require.Equal(s, workers*steps, number[s.live(s.o.Key).Spec.Hash()])
}

// count makes so many steps of one, each against what it has just read. value says which value stands for a number.
func (s *session) count(d vendors.Driver, number map[resource.Hash]int, steps int, value func(int) int) error {
	for done, half := 0, 0; done < steps; {
		snap, err := d.Read(s.ctx, []resource.Key{s.o.Key})
		if err != nil {
			return err
		}
		live, err := snap.Resource(s.o.Key)
		if err != nil {
			return err
		}
		if live == nil {
			return errors.New("the object is gone")
		}
		n, whole := number[live.Spec.Hash()]
		if !whole { // another one is writing what takes several requests
			if half++; half > 10_000 {
				return fmt.Errorf("it stays what nobody has written: %s", resource.Text(map[string]any(live.Spec)))
			}
			runtime.Gosched()
			continue
		}
		_, err = d.Apply(s.ctx, resource.Change{Before: live, After: s.value(value(n + 1))})
		switch {
		case err == nil:
			done++
		case !errors.Is(err, vendors.ErrConflict) && !errors.Is(err, vendors.ErrBusy):
			return err
		}
		runtime.Gosched()
	}
	return nil
}

// race: while driftback writes without pause, a person edits. Nothing that the person wrote is overwritten
// before it was read, as it then is in Git.
func race(s *session) {
	const edits, tries = 30, 20000
	person := map[resource.Hash]int{}
	for n := range edits {
		person[s.o.Vary(1000+n).Hash()] = n
	}
	s.apply(nil, s.value(0))
	var seen atomic.Int64 // edits of the person that were read
	seen.Store(-1)
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- s.overwrite(stop, func(h resource.Hash) {
			if n, ok := person[h]; ok {
				seen.Store(int64(n))
			}
		})
	}()
	lost := -1
	for n := 0; n < edits && lost < 0; n++ {
		if err := s.Hand.Put(s.o.Key, s.o.Vary(1000+n)); err != nil {
			require.NoError(s, err)
		}
		lost = n
		for range tries {
			if seen.Load() == int64(n) {
				lost = -1
				break
			}
			runtime.Gosched()
			_ = s.live(s.o.Key) // takes its time
		}
	}
	close(stop)
	require.NoError(s, <-ended)
	require.Negative(s, lost, "the person's edit was overwritten before anybody read it")
}

// overwrite replaces what is live, each time with another value, until stop is closed; tell hears what was read.
func (s *session) overwrite(stop <-chan struct{}, tell func(resource.Hash)) error {
	for n := 1; ; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		snap, err := s.Driver.Read(s.ctx, []resource.Key{s.o.Key})
		if err != nil {
			return err
		}
		live, err := snap.Resource(s.o.Key)
		if err != nil || live == nil {
			continue // half-written, or between two names
		}
		tell(live.Spec.Hash())
		_, err = s.Driver.Apply(s.ctx, resource.Change{Before: live, After: s.value(n % 900)})
		if err != nil && !errors.Is(err, vendors.ErrConflict) && !errors.Is(err, vendors.ErrBusy) {
			return err
		}
	}
}
