package simulator

import (
	"fmt"
	"slices"
	"strings"
)

// render writes an object as answers show it. Fields named in the row's brief are left out of listings
// and, where they ask for an expansion, everywhere without it.
func (c *call) render(e entry, listing bool) map[string]any {
	k := c.s.kinds[e.o.Kind]
	body := cloneMap(e.body)
	c.org.resolve(k, body)
	body["id"] = e.o.ID
	body["selfUri"] = c.org.uri(e.o)
	for _, f := range k.computed {
		if v := c.org.compute(e, f.source); v != nil {
			body[f.field] = v
		}
	}
	c.complete(e, body)
	for _, b := range k.brief {
		field, word, expandable := strings.Cut(b, "?")
		if listing && !expandable || expandable && !c.expands(word) {
			delete(body, field)
		}
	}
	return body
}

// expands says whether the query asks for the word; some are flags of their own.
func (c *call) expands(word string) bool {
	switch word {
	case "config":
		return c.query.Get("includeConfig") == "true"
	case "resources":
		return !c.query.Has("includeResources") || c.query.Get("includeResources") == "true"
	}
	for _, v := range c.query["expand"] {
		if slices.Contains(strings.Split(v, ","), word) {
			return true
		}
	}
	return false
}

// uri is the path of an object.
func (o *Org) uri(x *object) string { return o.s.kinds[x.Kind].path + "/" + x.ID }

// resolve completes references by name and address.
func (o *Org) resolve(k *kind, body map[string]any) {
	for _, r := range k.refs {
		visit(body, r.path, func(v any) any {
			m := asMap(v)
			if m == nil {
				return v
			}
			if x := o.Objects[refID(m)]; x != nil {
				m["name"], m["selfUri"] = o.name(x), o.uri(x)
			}
			return m
		})
	}
}

// name is what an object is called.
func (o *Org) name(x *object) string {
	if n := text(x.Body, "name"); n != "" {
		return n
	}
	return text(x.Extra, "name")
}

func (o *Org) person(a actor) map[string]any {
	return map[string]any{"id": a.ID, "name": a.Name, "selfUri": "/api/v2/users/" + a.ID}
}

// compute is the value of a computed field; nil leaves it out.
func (o *Org) compute(e entry, source string) any {
	x := e.o
	app := func(a actor) any {
		if a.Person {
			return nil
		}
		return a.ID
	}
	switch source {
	case "none", "secret":
		return nil
	case "true":
		return true
	case "false":
		return false
	case "0":
		return 0
	case "complete":
		return "Complete"
	case "version":
		return e.ver
	case "versionText":
		return fmt.Sprint(e.ver)
	case "created":
		return stamp(x.Created)
	case "modified":
		if !e.at.IsZero() {
			return stamp(e.at)
		}
		return stamp(x.Modified)
	case "by":
		return x.By.ID
	case "lastBy":
		return x.LastBy.ID
	case "byRef":
		return o.person(x.By)
	case "lastByRef":
		m := o.person(x.LastBy)
		delete(m, "name")
		return m
	case "app":
		return app(x.By)
	case "lastApp":
		return app(x.LastBy)
	case "state":
		return "active"
	case "email":
		return e.body["email"]
	case "home":
		return x.ID == o.Home
	case "default":
		return x.Extra["default"] == true
	case "snippet":
		return "<script>/* deployment " + x.ID + " */</script>"
	case "configVersion":
		return fmt.Sprint(x.Extra["version"])
	case "configName", "configNotes":
		return x.Extra[strings.ToLower(strings.TrimPrefix(source, "config"))]
	case "reported":
		code := "INACTIVE"
		if text(e.body, "intendedState") == "ENABLED" {
			code = "ACTIVE"
		}
		return map[string]any{"code": code}
	}
	if links, ok := strings.CutPrefix(source, "#"); ok {
		return len(x.Links[links])
	}
	panic("simulator: no source " + source) // a mistake in a table; the tests read every kind
}
