package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// part writes one part of an object. live is the object as it was, which is empty for a new one.
func (w *change) part(ctx context.Context, part Part, id string, live Object, liveSpec resource.Spec) error {
	want, wants := w.After.Spec[part.Field]
	old, has := liveSpec[part.Field]
	if !wants && !has || resource.Equal(want, old) {
		return nil
	}
	if part.Get != nil {
		return w.document(ctx, part, id, live, want)
	}
	if !wants {
		want = []any{}
	}
	list, ok := want.([]any)
	if !ok {
		return errors.New("want a list")
	}
	if part.Write != nil {
		return w.byHook(ctx, part, id, live, list)
	}
	if part.Put.Method != "" {
		return w.whole(ctx, part, id, list)
	}
	if part.Add.Method == "" {
		return errors.New("it can be read only")
	}
	return w.elements(ctx, part, id, live, list, old)
}

// node is the place of a part.
func (w *change) node(part Part) *node {
	if n := w.k.root.step(part.Field); n != nil {
		return n
	}
	return &node{}
}

// document writes a part that is one document.
func (w *change) document(ctx context.Context, part Part, id string, live Object, want any) error {
	if part.Put.Method == "" {
		return errors.New("it can be read only")
	}
	if want == nil {
		want = map[string]any{}
	}
	n := w.node(part)
	body, err := w.writer().encode(want, n, n.field.Form)
	if err != nil {
		return err
	}
	r := part.Put.request("update", w.k.vars(id), body)
	m, isMap := body.(map[string]any)
	if isMap {
		for key, v := range part.Put.Add {
			m[key] = v
		}
	}
	if old, ok := live[part.Field].(map[string]any); ok && isMap {
		carry(m, old, append(slices.Clone(part.Put.Echo), part.Guard.Body))
	} else if isMap && (part.Guard.Body != "" || len(part.Put.Echo) > 0) {
		// A new object has a document already, with a version of its own.
		o, err := w.fresh(ctx, part, id)
		if err != nil && !errors.Is(err, ErrMissing) {
			return err
		}
		carry(m, o, append(slices.Clone(part.Put.Echo), part.Guard.Body))
	}
	r.Repeat = part.Guard.Body != "" || r.Method == http.MethodPut
	a, err := w.d.c.Do(ctx, r)
	if err == nil && part.Guard.Body != "" && w.but != nil {
		var said Object
		if a.JSON(&said) == nil && said[part.Guard.Body] != nil {
			w.but.written[part.Field] = said // nobody came between
		}
	}
	return err
}

// fresh reads the document of a new object, which the platform may not show at once.
func (w *change) fresh(ctx context.Context, part Part, id string) (Object, error) {
	d := w.d
	for begun, try := d.o.Clock.Now(), 0; ; try++ {
		a, err := d.c.Do(ctx, part.Get.request("get", w.k.vars(id), nil))
		if err == nil {
			var o Object
			return o, a.JSON(&o)
		}
		if !errors.Is(err, ErrMissing) || d.o.Clock.Now().Sub(begun) >= w.k.Settle {
			return nil, err
		}
		if err := d.wait(ctx, d.c.backoff(try)); err != nil {
			return nil, err
		}
	}
}

// carry copies what stands at the paths.
func carry(to, from Object, paths []string) {
	for _, path := range paths {
		if v, ok := at(from, path); ok && path != "" {
			put(to, path, v)
		}
	}
}

// whole writes a list at once.
func (w *change) whole(ctx context.Context, part Part, id string, list []any) error {
	items, _, err := w.items(part, list)
	if err != nil {
		return err
	}
	if items == nil {
		items = []any{} // a list without elements, and not none
	}
	r := part.Put.request("update", w.k.vars(id), items)
	r.Repeat = r.Method == http.MethodPut
	_, err = w.d.c.Do(ctx, r)
	return err
}

// byHook tells the hook which ids are new and which are too many.
func (w *change) byHook(ctx context.Context, part Part, id string, live Object, list []any) error {
	_, want, err := w.items(part, list)
	if err != nil {
		return err
	}
	var is, add, remove []string
	raw, _ := live[part.Field].([]any)
	for _, e := range raw {
		item := w.item(part, e)
		if is = append(is, item); !slices.Contains(want, item) {
			remove = append(remove, item)
		}
	}
	for _, item := range want {
		if !slices.Contains(is, item) {
			add = append(add, item)
		}
	}
	if len(add)+len(remove) == 0 {
		return nil
	}
	return part.Write(ctx, w.d.c, id, add, remove)
}

// elements adds, changes and removes what differs. Each of it may be sent twice.
func (w *change) elements(ctx context.Context, part Part, id string, live Object, list []any, old any) error {
	want, ids, err := w.items(part, list)
	if err != nil {
		return err
	}
	specs := map[string]any{} // of the elements that are there and can be compared, by item
	oldList, _ := old.([]any)
	for _, e := range oldList {
		if _, is, err := w.items(part, []any{e}); err == nil {
			specs[is[0]] = e
		}
	}
	there := map[string]bool{}
	var add, remove, change []int // places in want; in gone
	var gone []any
	var goneIDs []string
	raw, _ := live[part.Field].([]any)
	for _, e := range raw {
		item := w.item(part, e)
		there[item] = true
		at := slices.Index(ids, item)
		switch {
		case at < 0:
		case !resource.Equal(specs[item], list[at]) && part.Change.Method != "":
			change = append(change, at)
			continue
		case !resource.Equal(specs[item], list[at]) && part.Item != "":
			add = append(add, at) // after it was removed
		default:
			continue
		}
		remove = append(remove, len(gone))
		gone, goneIDs = append(gone, w.sent(part, e, item)), append(goneIDs, item)
	}
	for i, item := range ids {
		if !there[item] {
			add = append(add, i)
		}
	}
	added := want
	if part.AddIDs {
		added = make([]any, len(want))
		for i := range want {
			added[i] = map[string]any{w.k.p.refID(): ids[i]}
			if spec, _ := list[i].(map[string]any); !there[ids[i]] && len(spec) > 1 {
				change = append(change, i)
			}
		}
	}
	for _, step := range []struct {
		o     Operation
		items []any
		ids   []string
		which []int
	}{{part.Remove, gone, goneIDs, remove}, {part.Add, added, ids, add}, {part.Change, want, ids, change}} {
		if err := w.chunks(ctx, part, step.o, id, step.items, step.ids, step.which); err != nil {
			return err
		}
	}
	return nil
}

// chunks sends elements, one by one or so many at a time.
func (w *change) chunks(ctx context.Context, part Part, o Operation, id string, items []any, ids []string, which []int) error {
	v := w.k.vars(id)
	single := strings.Contains(o.Path, "{item}")
	for query := range o.Query {
		single = single || strings.Contains(o.Query[query], "{item}")
	}
	for done := 0; done < len(which); {
		n := len(which) - done
		switch {
		case single:
			n = 1
		case part.Chunk > 0:
			n = min(n, part.Chunk)
		}
		var body any
		if single {
			v.item = ids[which[done]]
			if o.Method != http.MethodDelete {
				body = items[which[done]]
			}
		} else {
			list := make([]any, 0, n)
			for _, i := range which[done : done+n] {
				list = append(list, items[i])
			}
			body = list
		}
		r := o.request("update", v, body)
		r.Repeat = true
		_, err := w.d.c.Do(ctx, r)
		if err != nil && !(o.Method == http.MethodDelete && errors.Is(err, ErrMissing)) {
			return fmt.Errorf("%d of %d written: %w", done, len(which), err)
		}
		done += n
	}
	return nil
}

// items returns the elements of a list as they are sent, and what tells them apart.
func (w *change) items(part Part, list []any) (items []any, ids []string, err error) {
	at := w.node(part).element()
	form := Plain
	if at != nil {
		form = at.field.Form
	}
	for _, e := range list {
		x, err := w.writer().encode(e, at, form)
		if err != nil {
			return nil, nil, err
		}
		item := w.item(part, x)
		if item == "" {
			return nil, nil, fmt.Errorf("an element without %s", part.Item)
		}
		items, ids = append(items, w.sent(part, x, item)), append(ids, item)
	}
	return items, ids, nil
}

// item is what tells an element, as the platform writes it, from others.
func (w *change) item(part Part, e any) string {
	m, isMap := e.(map[string]any)
	if !isMap {
		id, _ := idText(e)
		return id
	}
	path := part.Item
	if path == "" {
		path = w.k.p.refID()
	}
	v, _ := at(m, path)
	if in, isRef := v.(map[string]any); isRef {
		v = in[w.k.p.refID()]
	}
	id, _ := idText(v)
	return id
}

// sent is the element as Add, Remove and Put send it.
func (w *change) sent(part Part, e any, item string) any {
	if part.Bare {
		return item
	}
	m, isMap := e.(map[string]any)
	if !isMap {
		return e
	}
	// What the platform computes is not sent back. Absence means the default, which may be another value than is there.
	out := make(map[string]any, len(m))
	elem := w.node(part).element()
	for key, v := range m {
		if n := elem.step(key); n == nil || !n.drop || n.field.Secret {
			out[key] = v
		}
	}
	if elem != nil {
		for key, n := range elem.children {
			if _, said := out[key]; !said && n.field.Default != nil {
				out[key] = n.field.Default
			}
		}
	}
	return out
}
