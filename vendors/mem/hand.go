package mem

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// Put creates or replaces an object by hand, in the name of who. The spec may be
// written with Go's own numbers; what the descriptor says about it is applied.
// ErrInvalid: the platform has no such kind, or a reference leads nowhere.
func (p *Platform) Put(k resource.Key, spec resource.Spec, who string) error {
	canonical, err := resource.CanonicalSpec(spec)
	if err != nil {
		return fmt.Errorf("put %s: %w: %w", k, err, vendors.ErrInvalid)
	}
	return p.hand("put", k, who, func(by author) error {
		readable, secrets, err := p.accept(k, canonical)
		if err != nil {
			return err
		}
		if old := p.objects[k]; old != nil && secrets == nil && resource.Equal(old.spec, readable) {
			return nil
		}
		p.put(k, readable, secrets, by)
		p.counts.Edits++
		return nil
	})
}

// Delete removes an object by hand. A missing one is no error; ErrInvalid where something refers to it.
func (p *Platform) Delete(k resource.Key, who string) error {
	return p.hand("delete", k, who, func(by author) error {
		if p.objects[k] == nil {
			return nil
		}
		p.counts.Edits++
		return p.delete(k, by)
	})
}

// Rename gives an object another name by hand. ErrInvalid where it is not there or the name is taken.
func (p *Platform) Rename(from, to resource.Key, who string) error {
	return p.hand("rename", from, who, func(by author) error {
		switch {
		case from.Kind != to.Kind:
			return fmt.Errorf("%s is of another kind: %w", to, vendors.ErrInvalid)
		case p.objects[from] == nil:
			return fmt.Errorf("not there: %w", vendors.ErrInvalid)
		case p.objects[to] != nil:
			return fmt.Errorf("%s exists: %w", to, vendors.ErrInvalid)
		}
		p.counts.Edits++
		p.move(from, to, p.objects[from].spec, nil, by)
		return nil
	})
}

// hand runs an edit by a person, and tells the watchers.
func (p *Platform) hand(verb string, k resource.Key, who string, edit func(author) error) error {
	by := author{who: who, when: p.o.Now()}
	p.mu.Lock()
	err := fmt.Errorf("kind %s: %w", k.Kind, vendors.ErrInvalid)
	if _, known := p.info[k.Kind]; known && k.Name != "" {
		err = edit(by)
	}
	p.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, k, err)
	}
	p.hint(k)
	return nil
}

// delete removes an object and what the platform strips from its referrers. p.mu is held.
func (p *Platform) delete(k resource.Key, by author) error {
	stripped := map[resource.Key]resource.Spec{}
	if !p.o.Loose {
		var err error
		if stripped, err = p.cascade(k); err != nil {
			return err
		}
	}
	p.remove(k, by)
	for _, r := range slices.SortedFunc(maps.Keys(stripped), resource.Key.Compare) {
		p.put(r, p.schemas[r.Kind].Normalize(stripped[r]), nil, by)
	}
	return nil
}

// accept returns the spec as the platform stores it, and the secrets apart. p.mu is held.
func (p *Platform) accept(k resource.Key, spec resource.Spec) (resource.Spec, map[string]string, error) {
	readable, secrets, err := p.split(k, spec)
	if err != nil {
		return nil, nil, err
	}
	if p.o.Fill != nil {
		readable = p.o.Fill(k, readable.Clone())
	}
	readable = p.schemas[k.Kind].Normalize(readable)
	if bad, found := p.dangling(k, readable); found && !p.o.Loose {
		return nil, nil, fmt.Errorf("refers to %s, which is not there: %w", bad, vendors.ErrInvalid)
	}
	return readable, secrets, nil
}

// Get returns the spec that is stored, and whether the object is there. Do not modify it.
func (p *Platform) Get(k resource.Key) (resource.Spec, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.objects[k]
	if o == nil {
		return nil, false
	}
	return o.spec, true
}

// ID returns the platform's id of an object; empty where there is none.
func (p *Platform) ID(k resource.Key) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o := p.objects[k]; o != nil {
		return o.origin.ID
	}
	return ""
}

// Secret returns what was last written to the secret field at path: "password" of a connector.
func (p *Platform) Secret(k resource.Key, path string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o := p.objects[k]; o != nil {
		return o.secrets[path]
	}
	return ""
}

// State returns everything that is stored, in a map of the caller's own. Do not modify the specs.
func (p *Platform) State() map[resource.Key]resource.Spec {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state()
}

func (p *Platform) state() map[resource.Key]resource.Spec {
	out := make(map[resource.Key]resource.Spec, len(p.objects))
	for k, o := range p.objects {
		out[k] = o.spec
	}
	return out
}

// Running returns what runs: what was stored when an activation last succeeded.
// Without activation that is what is stored.
func (p *Platform) Running() map[resource.Key]resource.Spec {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.o.Activation {
		return p.state()
	}
	return maps.Clone(p.running)
}

// Activate makes what is stored run, as an administrator does. What the check refuses is told, and what ran goes on running.
func (p *Platform) Activate() error {
	return activator{p}.Activate(context.Background())
}

// Poke changes what runs and leaves what is stored as it is: nil takes the object out of it.
func (p *Platform) Poke(k resource.Key, spec resource.Spec) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = maps.Clone(p.running) // an activation took it over from what was stored
	if p.running[k] = spec.Clone(); spec == nil {
		delete(p.running, k)
	}
}

// History returns every value that the key ever had, oldest first.
func (p *Platform) History(k resource.Key) []Value {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.history[k])
}

// Counts returns what the platform has been asked for so far.
func (p *Platform) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// Fail makes listings and reads of a kind fail with err; nil ends it.
func (p *Platform) Fail(k resource.Kind, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		delete(p.failing, k)
	} else {
		p.failing[k] = err
	}
}

// Hide makes one object unreadable for the reason given; an empty one ends it.
func (p *Platform) Hide(k resource.Key, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if reason == "" {
		delete(p.unreadable, k)
	} else {
		p.unreadable[k] = reason
	}
}
