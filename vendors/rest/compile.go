package rest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// A kind is a row made ready: what the walks over its objects look up.
type kind struct {
	Kind
	p       *Platform
	info    resource.KindInfo
	schema  *resource.Schema
	root    *node
	managed bool
	// refs are the kinds that it refers to; of those, open ones are listed no earlier than itself, so that their names
	// are not known when it is.
	refs, open map[resource.Kind]bool
	referrers  []*kind
	id         string // the field
	names      []string
	// inParent says that an id is unique in its parent only. The engine's id is then PARENT/ID.
	inParent bool
	gone     []match
	// reads says that a listing does not show everything, always that it does not even show when that moves.
	reads, always bool
}

// A node is a place in objects of a kind, as the platform writes them; inside of a Text, as that
// does. The nil node is a place of which nothing is known.
type node struct {
	children map[string]*node
	any      *node // of other keys
	elem     *node // of a list
	field    Field
	ref      bool
	drop     bool // no part of the spec
	track    bool // dropped, and still a sign that the object moved
	id       bool // the object's id
	inner    bool // there are references below, which a Text must be opened for
}

// step returns the place below a key.
func (n *node) step(key string) *node {
	if n == nil {
		return nil
	}
	if c := n.children[key]; c != nil {
		return c
	}
	return n.any
}

func (n *node) element() *node {
	if n == nil {
		return nil
	}
	return n.elem
}

// grow returns the place at a path, making it.
func (n *node) grow(path string) *node {
	for step := range strings.SplitSeq(strings.ReplaceAll(path, "[]", ".[]"), ".") {
		var next **node
		switch step {
		case "[]":
			next = &n.elem
		case "*":
			next = &n.any
		default:
			if n.children == nil {
				n.children = map[string]*node{}
			}
			if n.children[step] == nil {
				n.children[step] = &node{}
			}
			n = n.children[step]
			continue
		}
		if *next == nil {
			*next = &node{}
		}
		n = *next
	}
	return n
}

// markInner notes where references are below, and reports it.
func (n *node) markInner() bool {
	if n == nil {
		return false
	}
	for _, c := range n.children {
		n.inner = c.markInner() || n.inner
	}
	n.inner = n.any.markInner() || n.inner
	n.inner = n.elem.markInner() || n.inner
	return n.inner || n.ref
}

// A match is a Match made ready.
type match struct {
	path []string
	Match
}

// compile makes the rows ready, those of kinds that are not needed left out. managed says
// which are managed.
func compile(p *Platform, o Options) []*kind {
	optIn := func(name string) bool { return slices.Contains(o.OptIn, name) }
	managed := func(k Kind) bool {
		if k.ReferenceOnly {
			return false
		}
		if o.Kinds != nil {
			return slices.Contains(o.Kinds, k.Kind)
		}
		return !k.OptIn || optIn(string(k.Kind))
	}
	needed := map[resource.Kind]bool{}
	for i := range p.Kinds {
		if managed(p.Kinds[i]) {
			need(p, p.Kinds[i].Kind, true, needed)
		}
	}
	var out []*kind
	place := map[resource.Kind]int{}
	for i, k := range p.Kinds {
		place[k.Kind] = i
	}
	byName := map[resource.Kind]*kind{}
	for _, row := range p.Kinds {
		if !needed[row.Kind] {
			continue
		}
		row.Parts = slices.DeleteFunc(slices.Clone(row.Parts), func(part Part) bool {
			return part.OptIn && !optIn(string(row.Kind)+"."+part.Field)
		})
		k := &kind{Kind: row, p: p, managed: managed(row), refs: map[resource.Kind]bool{}, open: map[resource.Kind]bool{}}
		k.compile(place)
		out = append(out, k)
		byName[row.Kind] = k
	}
	for _, k := range out {
		for r := range k.refs {
			if to := byName[r]; to != nil {
				to.referrers = append(to.referrers, k)
			}
		}
	}
	return out
}

// need marks a kind and what must be known to read it. Of one that is only referred to, that is what its name is made of.
func need(p *Platform, k resource.Kind, whole bool, needed map[resource.Kind]bool) {
	i := slices.IndexFunc(p.Kinds, func(row Kind) bool { return row.Kind == k })
	if i < 0 {
		return
	}
	row := p.Kinds[i]
	again := needed[k]
	needed[k] = true
	if row.Parent.Kind != "" && !needed[row.Parent.Kind] {
		need(p, row.Parent.Kind, false, needed)
	}
	if again && !whole {
		return
	}
	for _, f := range row.Fields {
		base, _, _ := strings.Cut(f.Path, "[")
		if !whole && !slices.Contains(row.Name.Fields, base) {
			continue
		}
		for _, to := range f.targets() {
			if !needed[to] {
				need(p, to, false, needed)
			}
		}
	}
	for _, to := range row.Names {
		if whole && !needed[to] {
			need(p, to, false, needed)
		}
	}
	if whole && row.WhoKind != "" {
		needed[row.WhoKind] = true
	}
}

// targets are the kinds that a field may refer to.
func (f Field) targets() []resource.Kind {
	if f.Ref != "" {
		return []resource.Kind{f.Ref}
	}
	var out []resource.Kind
	for _, k := range f.Kinds {
		out = append(out, k)
	}
	return out
}

func (k *kind) compile(place map[resource.Kind]int) {
	k.id = cmp.Or(k.ID, "id")
	k.names = k.Name.Fields
	if k.names == nil && k.Name.Singleton == "" {
		k.names = []string{"name"}
	}
	k.inParent = strings.Contains(k.Get.Path, "{parent}")
	for _, g := range k.Gone {
		k.gone = append(k.gone, match{strings.Split(g.Path, "."), g})
	}
	k.reads = k.Detail || len(k.Parts) > 0 || k.Hooks.Read != nil
	for _, part := range k.Parts {
		k.always = k.always || len(part.Moved) == 0
	}
	k.tree(place)
	k.describe(place)
	k.schema = k.info.Schema()
}

// tree makes the places of the kind's objects.
func (k *kind) tree(place map[resource.Kind]int) {
	k.root = &node{}
	for _, f := range k.Fields {
		n := k.root.grow(f.Path)
		n.field, n.drop = f, f.Volatile || f.Secret
		n.ref = f.Ref != "" || f.By != ""
		for _, to := range f.targets() {
			k.refs[to] = true
			if place[to] >= place[k.Kind.Kind] {
				k.open[to] = true
			}
		}
	}
	if k.Parent.Kind != "" {
		k.refs[k.Parent.Kind] = true
	}
	for _, to := range k.Names {
		k.refs[to] = true
		if place[to] >= place[k.Kind.Kind] {
			k.open[to] = true
		}
	}
	drop := func(path string, track bool) {
		if path == "" {
			return
		}
		if n := k.root.grow(path); !n.ref {
			n.drop, n.track = true, n.track || track
		}
	}
	for _, v := range k.p.Volatile {
		if !k.Verbatim {
			drop(v, false)
		}
	}
	for _, f := range k.Moved {
		drop(f, true)
	}
	for _, part := range k.Parts {
		for _, f := range slices.Concat(part.Moved, part.Hints) {
			drop(f, true)
		}
	}
	for _, f := range k.Aliases {
		drop(f, true)
	}
	for _, f := range []string{k.Guard.Body, k.When, k.Who} {
		drop(f, true)
	}
	for _, f := range k.names {
		if n := k.root.grow(f).element(); n == nil || !n.ref {
			drop(f, true) // a reference stays, and a list of them
		}
	}
	for _, g := range k.Gone { // may be a part of the spec
		if n := k.root.grow(g.Path); n.drop {
			n.track = true
		}
	}
	n := k.root.grow(k.id)
	n.drop, n.track, n.id = true, false, true
	for _, f := range k.Aliases { // an alias may be the field "id", where ID is another
		k.root.grow(f).track = true
	}
	k.root.markInner()
}

// describe makes the info that callers see.
func (k *kind) describe(place map[resource.Kind]int) {
	k.info = resource.KindInfo{
		Kind: k.Kind.Kind, ReferenceOnly: !k.managed, MaxSize: k.MaxSize, Settle: k.Settle, Cascades: k.Cascades,
	}
	if !k.managed {
		return
	}
	k.info.Mentions = k.Mentions
	for _, f := range k.Fields {
		r := f.Field
		if place[r.Ref] > place[k.Kind.Kind] {
			r.Ref = "" // descriptors go from the referred to the referring
		}
		if f.Form == IDKeys {
			k.info.Fields = append(k.info.Fields, resource.Field{Path: f.Path + "[].key", Ref: r.Ref})
			r.Ref, r.ListKey = "", "key"
		}
		k.info.Fields = append(k.info.Fields, r)
	}
	if k.Parent.Field != "" {
		k.info.Fields = append(k.info.Fields, resource.Field{Path: k.Parent.Field, Ref: k.Parent.Kind, Immutable: true})
	}
	k.info.Can = resource.Capabilities{
		Create: k.creates(), Update: k.updates(), Delete: k.deletes(),
		Rename: k.updates() && k.Style != Replace && !k.Name.Fixed && k.Name.Singleton == "",
		Guard:  k.Guard != Guard{},
		// An id that is made of the name goes with it.
		StableID: k.Name.Singleton == "" && k.Style != Replace && !slices.Contains(k.names, k.id),
	}
}
