package mem_test

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/vendortest"
)

// A flaw is a driver that breaks one rule.
type flaw struct {
	vendors.Driver
	observe func(*resource.Snapshot, error) (*resource.Snapshot, error)
	read    func(*resource.Snapshot, error) (*resource.Snapshot, error)
	apply   func(context.Context, vendors.Driver, resource.Change) (resource.Resource, error)
	ctx     func(context.Context) context.Context
	guard   bool
	silent  bool
}

func (f flaw) Kinds() []resource.KindInfo {
	kinds := slices.Clone(f.Driver.Kinds())
	for i := range kinds {
		kinds[i].Can.Guard = kinds[i].Can.Guard || f.guard
	}
	return kinds
}

func (f flaw) Observe(ctx context.Context, r vendors.Request) (*resource.Snapshot, error) {
	if f.ctx != nil {
		ctx = f.ctx(ctx)
	}
	s, err := f.Driver.Observe(ctx, r)
	if f.observe != nil && s != nil {
		return f.observe(s, err)
	}
	return s, err
}

func (f flaw) Read(ctx context.Context, keys []resource.Key) (*resource.Snapshot, error) {
	s, err := f.Driver.Read(ctx, keys)
	if f.read != nil && s != nil {
		return f.read(s, err)
	}
	return s, err
}

func (f flaw) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	if f.apply != nil {
		return f.apply(ctx, f.Driver, c)
	}
	return f.Driver.Apply(ctx, c)
}

func (f flaw) Watch(ctx context.Context, changed func(...resource.Key)) error {
	if f.silent {
		changed = func(...resource.Key) {}
	}
	return f.Driver.(vendors.Watcher).Watch(ctx, changed)
}

// everything covers all kinds, whatever was read.
func everything(s *resource.Snapshot, _ error) (*resource.Snapshot, error) {
	scope := resource.Scope{Kinds: map[resource.Kind]resource.Cover{}}
	for _, k := range mem.Kinds() {
		if !k.ReferenceOnly {
			scope.Kinds[k.Kind] = resource.Cover{}
		}
	}
	return s.WithOptions(resource.Options{Scope: scope}), nil
}

// read returns what is live of a change's object.
func read(d vendors.Driver, k resource.Key) *resource.Resource {
	s, err := d.Read(context.Background(), []resource.Key{k})
	if err != nil {
		return nil
	}
	r, _ := s.Resource(k)
	return r
}

// flaws are the rules that are easily broken, and what a driver looks like that does.
var flaws = map[string]flaw{
	"takes an unread kind for an empty one": {observe: everything},
	"Read covers what it was not asked for": {read: everything},
	"goes on after its context":             {ctx: context.WithoutCancel},
	"keeps silent about edits":              {silent: true},
	"leaves out bodies":                     {observe: func(s *resource.Snapshot, err error) (*resource.Snapshot, error) { return withoutBodies(s), err }},
	"overwrites what it did not expect": {apply: func(ctx context.Context, d vendors.Driver, c resource.Change) (resource.Resource, error) {
		if c.Before != nil {
			if live := read(d, c.Before.Key); live != nil {
				c.Before = live
			}
		}
		return d.Apply(ctx, c)
	}},
	"creates over what is there": {apply: func(ctx context.Context, d vendors.Driver, c resource.Change) (resource.Resource, error) {
		if c.Before == nil {
			c.Before = read(d, c.After.Key)
		}
		return d.Apply(ctx, c)
	}},
	"cannot do it twice": {apply: func(ctx context.Context, d vendors.Driver, c resource.Change) (resource.Resource, error) {
		if c.Before != nil && read(d, c.Before.Key) == nil {
			return resource.Resource{}, vendors.ErrConflict
		}
		return d.Apply(ctx, c)
	}},
	"changes what it was handed": {apply: func(ctx context.Context, d vendors.Driver, c resource.Change) (resource.Resource, error) {
		r, err := d.Apply(ctx, c)
		if c.After != nil && err == nil {
			c.After.Spec["id"] = "42"
		}
		return r, err
	}},
	"returns what it did not store": {apply: func(ctx context.Context, d vendors.Driver, c resource.Change) (resource.Resource, error) {
		r, err := d.Apply(ctx, c)
		if r.Spec != nil {
			r.Spec = r.Spec.Clone()
			r.Spec["modified"] = "now"
		}
		return r, err
	}},
	"renames by creating": {apply: func(ctx context.Context, d vendors.Driver, c resource.Change) (resource.Resource, error) {
		if c.Before != nil && c.After != nil && c.Before.Key != c.After.Key {
			r, err := d.Apply(ctx, resource.Change{After: c.After})
			if err == nil {
				_, err = d.Apply(ctx, resource.Change{Before: c.Before})
			}
			return r, err
		}
		return d.Apply(ctx, c)
	}},
	"refuses without a class": {apply: func(ctx context.Context, d vendors.Driver, c resource.Change) (resource.Resource, error) {
		r, err := d.Apply(ctx, c)
		if err != nil {
			err = context.Cause(ctx)
		}
		return r, err
	}},
	"declares a guard that it has not": {guard: true},
}

func withoutBodies(s *resource.Snapshot) *resource.Snapshot {
	var b resource.Builder
	for e := range s.Entries() {
		b.Known(e)
	}
	out, _ := b.Snapshot(resource.Options{Scope: s.Scope(), Tenant: s.Tenant()})
	return out
}

// TestFlawed is run by TestSuiteTells, and fails.
func TestFlawed(t *testing.T) {
	name, ok := os.LookupEnv("DRIFTBACK_TEST_FLAW")
	if !ok {
		t.Skip("run by TestSuiteTells")
	}
	f, flawed := flaws[name]
	o := mem.Options{IDs: true, Versions: !f.guard}
	if f.guard {
		o.Window = func(resource.Change) { runtime.Gosched() }
	}
	open := platform(o)
	vendortest.Run(t, vendortest.Fixture{Objects: objects()[:1], Open: func(t *testing.T) vendortest.Platform {
		p := open(t)
		if flawed {
			f := f
			f.Driver, p.Driver = p.Driver, nil
			p.Driver, p.Again = f, nil
		}
		return p
	}})
}

// The suite must tell a driver that breaks a rule from one that does not.
func TestSuiteTells(t *testing.T) {
	t.Parallel()
	run := func(name string) (string, error) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFlawed$", "-test.v")
		cmd.Env = append(os.Environ(), "DRIFTBACK_TEST_FLAW="+name)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("none")
	require.NoError(t, err, out)
	for name := range flaws {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := run(name)
			require.Error(t, err, "the suite is content with it")
			require.Contains(t, out, "--- FAIL: TestFlawed/")
		})
	}
}
