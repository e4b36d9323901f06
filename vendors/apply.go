package vendors

import (
	"context"
	"fmt"

	"github.com/driftback/driftback/vendors/resource"
)

// Apply makes one change, as Driver.Apply does, with secrets resolved. What comes
// back names them again. A write whose answer was lost is repeated only after a reading has shown that it
// did not happen; where the reading shows neither what was nor what was asked for, the failure is returned.
func (t *Target) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	if c.Before == nil && c.After == nil {
		return resource.Resource{}, fmt.Errorf("apply: a change from nothing to nothing: %w", ErrInvalid)
	}
	if t.o.ReadOnly {
		return resource.Resource{}, fmt.Errorf("%s %s: %w", c.Action(), c.Key(), ErrReadOnly)
	}
	var out resource.Resource
	var last error // of the driver's Apply: its answer may have been lost
	err := t.retry(ctx, "apply", func(try int) (again bool, err error) {
		if try > 0 {
			r, outcome, err := t.outcome(ctx, c)
			switch {
			case err != nil:
				return true, err
			case outcome == happened:
				out = r
				return false, nil
			case outcome == unclear:
				return false, fmt.Errorf("%w; live is neither what it was nor what was asked for", last)
			}
		}
		var sent bool
		out, sent, err = t.apply(ctx, c)
		last = err
		return sent, err
	})
	if err != nil {
		return resource.Resource{}, err
	}
	return out, nil
}

// apply makes one try, and reports whether the driver was asked. Secrets are resolved for it alone, and no error shows them.
func (t *Target) apply(ctx context.Context, c resource.Change) (out resource.Resource, sent bool, err error) {
	if err := t.spend(ctx); err != nil {
		return out, false, fmt.Errorf("%s %s: %w", c.Action(), c.Key(), err)
	}
	s := secrets{resolve: t.o.Secrets}
	send, err := s.fill(c)
	if err != nil {
		return out, false, fmt.Errorf("%s %s: %w", c.Action(), c.Key(), err)
	}
	if err := Leased(ctx); err != nil {
		return out, false, fmt.Errorf("%s %s: %w", c.Action(), c.Key(), err)
	}
	begun := t.o.Clock.Now()
	out, err = t.d.Apply(ctx, send)
	err = s.redact(err)
	if t.o.OnRequest != nil {
		t.o.OnRequest("apply", err, t.o.Clock.Now().Sub(begun))
	}
	if c.After != nil && out.Spec != nil {
		out.Spec = s.restore(out.Spec, c.After.Spec)
	}
	return out, true, err
}

// What a reading says about a write whose answer was lost.
type outcome int

const (
	unclear outcome = iota
	happened
	nothing
)

// outcome reads what the change touches, once a stale reading is no longer to be feared.
func (t *Target) outcome(ctx context.Context, c resource.Change) (resource.Resource, outcome, error) {
	if settle := t.kinds[c.Key().Kind].Settle; settle > 0 {
		if err := t.o.Clock.Sleep(ctx, settle); err != nil {
			return resource.Resource{}, unclear, err
		}
	}
	keys := []resource.Key{c.Key()}
	if c.Action() == resource.Rename {
		keys = append(keys, c.After.Key)
	}
	s, err := t.read(ctx, keys)
	if err != nil {
		return resource.Resource{}, unclear, err
	}
	was, is := true, true // live is the change's before, its after
	for _, k := range keys {
		if !s.Covers(k) {
			return resource.Resource{}, unclear, nil
		}
		live, err := s.Spec(k)
		if err != nil {
			return resource.Resource{}, unclear, err
		}
		was = was && t.same(k, live, specAt(c.Before, k))
		is = is && t.same(k, live, specAt(c.After, k))
	}
	switch {
	case was: // also where only a secret differs, which nobody can read: writing it twice is writing it once
		return resource.Resource{}, nothing, nil
	case !is:
		return resource.Resource{}, unclear, nil
	case c.After == nil:
		return resource.Resource{}, happened, nil
	}
	r, err := s.Resource(c.After.Key)
	if err != nil {
		return resource.Resource{}, unclear, err
	}
	r.Spec = c.After.Spec.Clone() // equal, and it names the secrets
	return *r, happened, nil
}

// specAt is what the key holds on one side of a change.
func specAt(r *resource.Resource, k resource.Key) resource.Spec {
	if r == nil || r.Key != k {
		return nil
	}
	return r.Spec
}

// same reports whether both specs say the same, as far as it can be read.
func (t *Target) same(k resource.Key, a, b resource.Spec) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	schema := t.schemas[k.Kind]
	a, b = withoutSecrets(a, schema.Root()), withoutSecrets(b, schema.Root())
	return resource.Equal(schema.Normalize(a), schema.Normalize(b))
}
