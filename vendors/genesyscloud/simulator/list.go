package simulator

import (
	"encoding/base64"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// list answers a listing of a kind: filtered, then a page of it.
func (c *call) list(k *kind) (answer, *problem) {
	if k.name == "response" && c.query.Get("libraryId") == "" {
		return answer{}, bad("libraryId is required")
	}
	entries := c.org.list(k)
	var kept []entry
	if !c.filtered() && k.name != "user" && len(c.org.hidden) == 0 {
		kept = entries
	} else {
		for _, e := range entries {
			if c.keep(k, e) {
				kept = append(kept, e)
			}
		}
	}
	return page(c, k.paging, k.max, kept, func(e entry) any { return c.render(e, true) })
}

// filters are the query's parameters that choose objects.
var filters = []string{"name", "id", "divisionId", "type", "libraryId", "hasPeer", "category", "state", "deleted", "integrationType"}

func (c *call) filtered() bool {
	for _, f := range filters {
		if c.query.Has(f) {
			return true
		}
	}
	return false
}

func (c *call) keep(k *kind, e entry) bool {
	q := c.query
	if !c.sees(e.o.ID) {
		return false
	}
	if n := q.Get("name"); n != "" && !like(n, text(e.body, "name")) {
		return false
	}
	if ids := values(q, "id"); len(ids) > 0 && !ids[e.o.ID] {
		return false
	}
	if d := values(q, "divisionId"); len(d) > 0 && !d[refID(e.body["division"])] {
		return false
	}
	for _, f := range []string{"type", "category"} {
		if t := values(q, f); len(t) > 0 && !t[strings.ToLower(text(e.body, f))] && !t[text(e.body, f)] {
			return false
		}
	}
	switch k.name {
	case "response":
		return contains(e.body["libraries"], q.Get("libraryId"))
	case "queue":
		return q.Get("hasPeer") != "true" // queues with a peer belong to the vendor's other products
	case "user":
		return userState(q.Get("state"), e.o, e.body)
	case "flow":
		return q.Get("deleted") != "true"
	case "integration":
		t := q.Get("integrationType")
		return t == "" || t == refID(e.body["integrationType"])
	}
	return true
}

func userState(want string, x *object, body map[string]any) bool {
	is := text(body, "state")
	if x.Gone {
		is = "deleted"
	}
	switch want {
	case "":
		return is == "active"
	case "any":
		return true
	}
	return want == is
}

// values are a parameter's values, repeated or separated by commas.
func values(q url.Values, name string) map[string]bool {
	out := map[string]bool{}
	for _, v := range q[name] {
		for _, e := range strings.Split(v, ",") {
			if e != "" {
				out[e] = true
			}
		}
	}
	return out
}

// like compares names without their case; * stands for any part.
func like(pattern, name string) bool {
	pattern, name = strings.ToLower(pattern), strings.ToLower(name)
	if !strings.Contains(pattern, "*") {
		return pattern == name
	}
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(name, "/", "\x00"))
	return ok && err == nil
}

func contains(list any, id string) bool {
	l, _ := list.([]any)
	for _, e := range l {
		if refID(e) == id {
			return true
		}
	}
	return false
}

// page answers with one page of what there is.
func page[T any](c *call, style paging, most int, all []T, show func(T) any) (answer, *problem) {
	size, p := c.number("pageSize", min(25, most), 1, most)
	if p != nil {
		return answer{}, p
	}
	if style == byCursor {
		return cursorPage(c, size, all, show)
	}
	n, p := c.number("pageNumber", 1, 1, 1<<30)
	if p != nil {
		return answer{}, p
	}
	from := (n - 1) * size
	if n > 1 {
		from += c.shift
	}
	count := max(1, (len(all)+size-1)/size)
	out := map[string]any{
		"entities": shown(all, from, size, show), "pageSize": size, "pageNumber": n, "total": len(all), "pageCount": count,
		"selfUri": c.at("pageNumber", itoa(n)), "firstUri": c.at("pageNumber", "1"), "lastUri": c.at("pageNumber", itoa(count)),
	}
	if n < count {
		out["nextUri"] = c.at("pageNumber", itoa(n+1))
	}
	if n > 1 {
		out["previousUri"] = c.at("pageNumber", itoa(n-1))
	}
	return ok(out)
}

// cursorPage pages by a word that only this server understands.
func cursorPage[T any](c *call, size int, all []T, show func(T) any) (answer, *problem) {
	from := 0
	if after := c.query.Get("after"); after != "" {
		b, err := base64.RawURLEncoding.DecodeString(after)
		n, err2 := strconv.Atoi(strings.TrimPrefix(string(b), "at "))
		if err != nil || err2 != nil || n < 0 {
			return answer{}, bad("after is not a cursor of this listing")
		}
		from = n + c.shift
	}
	out := map[string]any{"entities": shown(all, from, size, show), "selfUri": c.r.URL.RequestURI()}
	if next := from + size; next < len(all) {
		out["nextUri"] = c.at("after", base64.RawURLEncoding.EncodeToString([]byte("at "+itoa(next))))
	}
	return ok(out)
}

func shown[T any](all []T, from, size int, show func(T) any) []any {
	out := []any{}
	for i := max(from, 0); i < len(all) && i < from+size; i++ {
		out = append(out, show(all[i]))
	}
	return out
}

// at is the request's own address with one parameter replaced.
func (c *call) at(name, value string) string {
	q := url.Values{}
	for k, v := range c.query {
		q[k] = v
	}
	q.Set(name, value)
	return c.r.URL.Path + "?" + q.Encode()
}
