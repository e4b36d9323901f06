package reconciler

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/driftback/driftback/vendors/resource"
)

// masked returns what a platform says of an object with secrets as model names them: a platform never shows them, so they take
// no part in what is compared. Whatever stands in a field that the descriptor calls secret is dropped, whoever put it there, and
// so is what stands where model has a secret. A nil spec stays nil.
func masked(s *resource.Schema, spec, model resource.Spec) resource.Spec {
	out, _ := mask(s, spec, model)
	return out
}

// mask is masked, and reports whether that is another spec.
func mask(s *resource.Schema, spec, model resource.Spec) (resource.Spec, bool) {
	if spec == nil {
		return nil, false
	}
	out, changed := maskMap(map[string]any(spec), map[string]any(model), s.Root())
	if !changed {
		return spec, false
	}
	return s.Normalize(out), true
}

func maskMap(v, model map[string]any, at resource.At) (map[string]any, bool) {
	out, changed := make(map[string]any, len(v)), false
	for k, x := range v {
		sub := at.Key(k)
		m := model[k]
		if _, secret := m.(resource.Secret); secret || sub.Field().Secret {
			changed = true
			continue
		}
		var y any
		var moved bool
		if y, moved = maskValue(x, m, sub); moved {
			changed = true
		}
		out[k] = y
	}
	for k, m := range model {
		if _, shown := v[k]; onlySecrets(m) && (!shown || isSecret(m)) {
			out[k], changed = m, true
		}
	}
	return out, changed
}

func maskValue(v, model any, at resource.At) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		m, _ := model.(map[string]any)
		return maskMap(v, m, at)
	case []any:
		m, _ := model.([]any)
		return maskList(v, m, at)
	}
	return v, false
}

// maskList pairs elements by the key that the descriptor declares, else by place in lists of one length.
func maskList(v, model []any, at resource.At) ([]any, bool) {
	key := at.Field().ListKey
	out, changed := slices.Clone(v), false
	for i, x := range v {
		e, ok := x.(map[string]any)
		if !ok {
			if i < len(model) && len(v) == len(model) && isSecret(model[i]) {
				out[i], changed = model[i], true
			}
			continue
		}
		var m map[string]any
		switch {
		case key != "":
			for _, o := range model {
				if o, ok := o.(map[string]any); ok && resource.Equal(o[key], e[key]) {
					m = o
				}
			}
		case len(v) == len(model):
			m, _ = model[i].(map[string]any)
		}
		y, moved := maskMap(e, m, at.Elem())
		out[i], changed = y, changed || moved
	}
	return out, changed
}

func isSecret(v any) bool { _, ok := v.(resource.Secret); return ok }

// onlySecrets reports whether a value is a secret, or a map of nothing else.
func onlySecrets(v any) bool {
	m, ok := v.(map[string]any)
	if !ok {
		return isSecret(v)
	}
	for _, x := range m {
		if !onlySecrets(x) {
			return false
		}
	}
	return len(m) > 0
}

// secretNames are the secrets of a spec, each once, in order.
func secretNames(v any) []string {
	names := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case resource.Secret:
			names[v.Name] = true
		case resource.Spec:
			walk(map[string]any(v))
		case map[string]any:
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(v)
	return slices.Sorted(maps.Keys(names))
}

// maskSeen masks what was listed: with the secrets of base, else with those that Git wants of an object that has none.
func (p *pass) maskSeen(snap *resource.Snapshot) (resource.Overlay, error) {
	out := resource.Overlay{}
	for k, h := range differing(p.live.snapshot(), p.want.snapshot(), snap) {
		if h.live.IsZero() {
			continue
		}
		model, err := p.maskOf(k)
		if err != nil {
			return nil, fmt.Errorf("observe %s: %w", k, err)
		}
		if model == nil && !p.hasSecrets(k.Kind) {
			continue
		}
		e, _ := snap.Entry(k)
		plain, err := p.bodyOf(snap)(e)
		if err != nil {
			return nil, fmt.Errorf("observe %s: %w", k, err)
		}
		if spec, changed := mask(p.schemas[k.Kind], plain, model); changed {
			out[k] = &resource.Resource{Key: k, Spec: spec, Origin: e.Origin}
		}
	}
	return out, nil
}

// maskOf is what says which fields of an object are secret: base, or Git where that does not know it.
func (p *pass) maskOf(k resource.Key) (resource.Spec, error) {
	if from := p.base.snapshot(); !from.Hash(k).IsZero() {
		return from.Spec(k)
	}
	return p.want.snapshot().Spec(k)
}

// hasSecrets reports whether the descriptor of a kind calls a field secret.
func (e *environment) hasSecrets(k resource.Kind) bool {
	return slices.ContainsFunc(e.kindOf(k).Fields, func(f resource.Field) bool { return f.Secret })
}

// likeSide returns what was read of an object that changes touch with the secrets of that side of them which the rest equals.
func (p *pass) likeSide(r *resource.Resource, changes ...resource.Change) *resource.Resource {
	for _, c := range changes {
		for _, side := range []*resource.Resource{c.After, c.Before} {
			if r == nil || side == nil || side.Key != r.Key {
				continue
			}
			if spec := masked(p.schemas[r.Key.Kind], r.Spec, side.Spec); spec.Hash() == side.Spec.Hash() {
				return &resource.Resource{Key: r.Key, Spec: spec, Origin: r.Origin}
			}
		}
	}
	return r
}

// sent is the change as the platform gets it: secrets that are what they were are left out, so that nobody's rotation on the
// platform is undone by a write about something else. They are sent with what is created, where Git names another, where the
// operator's value changed or somebody asked for it, and where the platform would forget them.
func (p *pass) sent(c resource.Change) resource.Change {
	if c.Before == nil || c.After == nil || p.isRaw(c.After.Key.Kind) || p.writesSecrets(c.After.Key) {
		return c
	}
	out, changed := unsent(map[string]any(c.After.Spec), map[string]any(c.Before.Spec), p.schemas[c.After.Key.Kind].Root())
	if !changed {
		return c
	}
	after := *c.After
	after.Spec = out
	c.After = &after
	return c
}

func unsent(after, before map[string]any, at resource.At) (map[string]any, bool) {
	out, changed := make(map[string]any, len(after)), false
	for k, x := range after {
		sub := at.Key(k)
		if isSecret(x) && x == before[k] && !sub.Field().Resent {
			changed = true
			continue
		}
		if m, ok := x.(map[string]any); ok {
			b, _ := before[k].(map[string]any)
			var moved bool
			if x, moved = unsent(m, b, sub); moved {
				changed = true
			}
		}
		out[k] = x
	}
	return out, changed
}

// resends reports whether a change must send a secret again that it does not change.
func (p *pass) resends(it Item) bool {
	if it.After == nil || it.Live.IsZero() || !slices.ContainsFunc(p.kindOf(it.Key.Kind).Fields, func(f resource.Field) bool { return f.Secret && f.Resent }) {
		return false
	}
	live, err := p.seen.Spec(it.Key)
	if err != nil {
		return true
	}
	return resendsSame(map[string]any(it.After), map[string]any(live), p.schemas[it.Key.Kind].Root())
}

func resendsSame(after, live map[string]any, at resource.At) bool {
	for k, x := range after {
		sub := at.Key(k)
		if isSecret(x) && sub.Field().Resent && x == live[k] {
			return true
		}
		if m, ok := x.(map[string]any); ok {
			l, _ := live[k].(map[string]any)
			if resendsSame(m, l, sub) {
				return true
			}
		}
	}
	return false
}

// secretsEvery is how often the operator's secrets are looked at for a change.
const secretsEvery = time.Hour

// rotated are objects of which the operator's secrets changed since they were written.
type rotated struct {
	at      time.Time // when that was looked at, zero for never
	objects map[resource.Key]bool
}

// writesSecrets reports whether the secrets of an object are to be written although Git says nothing new of them.
func (p *pass) writesSecrets(k resource.Key) bool {
	h, asked := p.st.decisions.Secrets[k]
	return asked && h == p.want.snapshot().Hash(k) || p.rotated.objects[k]
}

// rewrites adds the objects whose secrets are to be written and on which all sides agree otherwise.
func (p *pass) rewrites(d Decision) (Decision, error) {
	if err := p.lookAtSecrets(); err != nil {
		return d, err
	}
	have := map[resource.Key]bool{}
	for _, it := range d.Items {
		have[it.Key] = true
	}
	keys := maps.Clone(p.rotated.objects)
	if keys == nil {
		keys = map[resource.Key]bool{}
	}
	for k := range p.st.decisions.Secrets {
		keys[k] = true
	}
	for _, k := range sortedResourceKeys(keys) {
		want := p.want.snapshot()
		h := want.Hash(k)
		if have[k] || !p.writesSecrets(k) || h.IsZero() || p.seen.Hash(k).IsZero() || p.rules.Ignored(k) {
			continue
		}
		spec, err := want.Spec(k)
		if err != nil {
			return d, fmt.Errorf("secrets of %s: %w", k, err)
		}
		live, err := p.seen.Spec(k)
		if err != nil {
			return d, fmt.Errorf("secrets of %s: %w", k, err)
		}
		d.Items = append(d.Items, Item{Key: k, Verdict: Deploy, Base: p.baseNow().Hash(k), Want: h, Live: p.seen.Hash(k), After: p.rules.Restore(k, spec, live), Reviewed: true})
	}
	slices.SortFunc(d.Items, func(a, b Item) int { return a.Key.Compare(b.Key) })
	return d, nil
}

// lookAtSecrets compares the fingerprints of the operator's secrets with those that were written. An object whose secrets were
// never fingerprinted is taken to have them.
func (p *pass) lookAtSecrets() error {
	if p.Fingerprint == nil || p.dry || !p.rotated.at.IsZero() && p.start.Sub(p.rotated.at) < secretsEvery {
		return nil
	}
	now := rotated{at: p.start, objects: map[resource.Key]bool{}}
	want := p.want.snapshot()
	for e := range want.Entries() {
		known := p.st.seen.Prints[e.Key]
		if known == nil && !p.hasSecrets(e.Key.Kind) || p.seen.Hash(e.Key).IsZero() {
			continue
		}
		spec, err := want.Spec(e.Key)
		if err != nil {
			return fmt.Errorf("secrets of %s: %w", e.Key, err)
		}
		prints, err := p.prints(secretNames(spec))
		if err != nil {
			p.trouble = append(p.trouble, Trouble{Key: e.Key, Kind: e.Key.Kind, Reason: p.r.c.Redact(err.Error())})
			continue
		}
		if known == nil {
			p.setPrints(e.Key, prints)
		}
		for name, was := range known {
			if is, still := prints[name]; still && is != was {
				now.objects[e.Key] = true
			}
		}
	}
	for k := range p.st.seen.Prints {
		if want.Hash(k).IsZero() && want.Covers(k) {
			p.setPrints(k, nil)
		}
	}
	p.rotated = now
	return nil
}

// prints are the keyed fingerprints of the operator's secrets as they are now, by name; none without a key.
func (p *pass) prints(names []string) (map[string]string, error) {
	if p.Fingerprint == nil || len(names) == 0 {
		return nil, nil
	}
	out := map[string]string{}
	for _, n := range names {
		f, err := p.Fingerprint(n)
		if err != nil {
			return nil, fmt.Errorf("fingerprint of secret %s: %w", n, err)
		}
		out[n] = f
	}
	return out, nil
}

// setPrints replaces the fingerprints of an object; none forgets it.
func (p *pass) setPrints(k resource.Key, prints map[string]string) {
	if len(prints) == 0 && p.st.seen.Prints[k] == nil {
		return
	}
	next := maps.Clone(p.st.seen.Prints)
	if next == nil {
		next = map[resource.Key]map[string]string{}
	}
	if next[k] = prints; len(prints) == 0 {
		delete(next, k)
	}
	p.st.seen.Prints = next
}

// journalPrints takes down the fingerprints of the secrets that a deployment is about to send. They are taken before: a value that
// changes meanwhile is noticed the next time, and written again at worst.
func (p *pass) journalPrints(changes []resource.Change) {
	p.st.journal.Prints = nil
	for _, c := range changes {
		if c.After == nil {
			continue
		}
		names := secretNames(p.sent(c).After.Spec)
		prints, err := p.prints(names)
		if err != nil {
			continue // the platform's own write says what is wrong with the secret
		}
		if len(prints) > 0 {
			if p.st.journal.Prints == nil {
				p.st.journal.Prints = map[resource.Key]map[string]string{}
			}
			p.st.journal.Prints[c.After.Key] = prints
		}
	}
}

// wroteSecrets takes down, after a deployment that went well, which secrets the platform has now.
func (p *pass) wroteSecrets(w work, foreign map[int]bool) {
	for i, c := range w.changes {
		if foreign[i] || c.After == nil {
			continue
		}
		k := c.After.Key
		if sent := p.st.journal.Prints[k]; len(sent) > 0 {
			all := maps.Clone(p.st.seen.Prints[k])
			if all == nil {
				all = map[string]string{}
			}
			maps.Copy(all, sent)
			named := secretNames(c.After.Spec)
			maps.DeleteFunc(all, func(n, _ string) bool { return !slices.Contains(named, n) })
			p.setPrints(k, all)
		}
		delete(p.rotated.objects, k)
		if _, asked := p.st.decisions.Secrets[k]; asked {
			p.st.decisions.Secrets = maps.Clone(p.st.decisions.Secrets)
			delete(p.st.decisions.Secrets, k)
		}
	}
}
