package rest

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// Check reports everything in which the table contradicts itself, each as "kind: what"; nil
// where it is consistent. New refuses a platform that does not pass.
func Check(p Platform) error {
	c := checker{seen: map[resource.Kind]bool{}, kinds: map[resource.Kind]bool{}}
	for _, k := range p.Kinds {
		c.kinds[k.Kind] = true
	}
	c.at = "platform"
	c.require(p.Name != "", "has no name")
	c.require((p.Tenant.Path == "") == (p.Tenant.Field == ""), "a tenant is read from a path and a field, both or neither")
	c.require(p.Rate.PerMinute >= 0 && p.Rate.Concurrency >= 0, "a rate below zero")
	c.paging(p.Paging)
	for _, k := range p.Kinds {
		c.at = string(k.Kind)
		c.require(validKind.MatchString(string(k.Kind)), "a kind is written in small letters, digits and dashes")
		c.require(!c.seen[k.Kind], "is there twice")
		c.kind(k)
		c.seen[k.Kind] = true
	}
	return errors.Join(c.errs...)
}

var validKind = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

type checker struct {
	at    string
	errs  []error
	kinds map[resource.Kind]bool // all
	seen  map[resource.Kind]bool // those that came before
}

func (c *checker) require(ok bool, format string, args ...any) {
	if !ok {
		c.errs = append(c.errs, fmt.Errorf("%s: %s", c.at, fmt.Sprintf(format, args...)))
	}
}

func (c *checker) kind(k Kind) {
	single := k.Name.Singleton != ""
	c.require(single || len(k.Listings) > 0, "is listed nowhere")
	c.require(!single || len(k.Listings) == 0 && k.Get.Path != "" && k.Create.Method == "" && k.Delete.Method == "" && k.Parent.Kind == "",
		"a singleton is read by Get and has no listing, creation, deletion or parent")
	c.require(!k.Detail || k.Get.Path != "", "Detail without Get")
	for _, l := range k.Listings {
		c.listing(k, l)
	}
	if k.Find != nil {
		c.listing(k, *k.Find)
	}
	c.require(k.WhoKind == "" || k.Who != "" && c.kinds[k.WhoKind], "WhoKind without Who, or not in the table")
	c.operation(k, "Get", k.Get, http.MethodGet)
	c.require(single || k.Get.Path == "" || strings.Contains(k.Get.Path, "{id}"), "Get names no {id}")
	c.writes(k)
	c.parent(k)
	c.name(k)
	for _, g := range k.Gone {
		c.require(g.Path != "" && len(g.Values)+len(g.Prefixes) > 0, "Gone matches nothing")
	}
	c.require((k.Mentions == nil) == (len(k.Names) == 0), "Names and Mentions go together")
	for _, to := range k.Names {
		c.require(c.kinds[to], "names a %s, which is not in the table", to)
	}
	paths := map[string]bool{}
	for _, f := range k.Fields {
		c.require(!paths[f.Path], "field %s is there twice", f.Path)
		paths[f.Path] = true
		c.field(k, f)
	}
	for _, p := range k.Parts {
		c.part(k, p)
	}
}

func (c *checker) writes(k Kind) {
	c.operation(k, "Create", k.Create, http.MethodPost, http.MethodPut)
	c.operation(k, "Update", k.Update, http.MethodPut, http.MethodPatch, http.MethodPost)
	c.operation(k, "Delete", k.Delete, http.MethodDelete, http.MethodPost)
	writes := k.creates() || k.updates() || k.deletes()
	c.require(!writes || !k.ReferenceOnly, "is reference-only and can be written")
	c.require(!k.ReferenceOnly || !k.OptIn, "is reference-only and opt-in")
	switch k.Style {
	case Put, Patch:
	case Replace:
		c.require(k.Update.Method == "" && k.Hooks.Update == nil && k.creates() && k.deletes(), "Replace takes a creation and a deletion, and no update")
	default:
		c.require(false, "no such style")
	}
	c.require(k.Guard.Body == "" || k.Guard.Header == "", "has two guards")
	c.require(k.Guard == Guard{} || k.updates() && k.Get.Path != "", "has a guard and nothing to guard, or no Get to read it by")
	c.require(k.Hooks.Restore == nil || k.creates() && k.updates(), "Restore without creation and update")
}

// The questions that follow from the operations and hooks.
func (k Kind) creates() bool { return k.Create.Method != "" || k.Hooks.Create != nil }
func (k Kind) deletes() bool { return k.Delete.Method != "" || k.Hooks.Delete != nil }
func (k Kind) updates() bool {
	return k.Update.Method != "" || k.Hooks.Update != nil || k.Style == Replace
}

func (c *checker) operation(k Kind, name string, o Operation, methods ...string) {
	if o.Method == "" && o.Path == "" {
		return
	}
	c.require(o.Path != "" && (o.Method == "" && name == "Get" || slices.Contains(methods, o.Method)), "%s: method %q with path %q", name, o.Method, o.Path)
	c.path(k, name, o.Path, o.Query)
}

var variable = regexp.MustCompile(`\{[^}]*\}`)

// path checks a template and the query that goes with it.
func (c *checker) path(k Kind, name, path string, query map[string]string) {
	c.require(strings.HasPrefix(path, "/") && !strings.ContainsAny(path, "?#"), "%s: path %q", name, path)
	used := variable.FindAllString(path, -1)
	for _, v := range query {
		used = append(used, variable.FindAllString(v, -1)...)
	}
	for _, v := range used {
		switch v {
		case "{id}", "{item}", "{name}":
		case "{parent}":
			c.require(k.Parent.Kind != "", "%s: %s without a parent", name, v)
		default:
			c.require(false, "%s: unknown %s", name, v)
		}
	}
}

func (c *checker) listing(k Kind, l Listing) {
	c.path(k, "listing", l.Path, l.Query)
	if l.Paging != nil {
		c.paging(*l.Paging)
	}
}

func (c *checker) paging(p Paging) {
	c.require(p.Size >= 0 && (p.Size == 0) == (p.SizeParam == ""), "paging: a size and its parameter go together")
	switch p.Style {
	case OnePage:
	case ByNumber:
		c.require(p.PageParam != "", "paging by number without PageParam")
	case ByCursor:
		c.require(p.CursorParam != "" && p.Next != "", "paging by cursor without CursorParam and Next")
	default:
		c.require(false, "paging: no such style")
	}
	c.require(p.Entities != "" || p.Total == "" && p.Next == "" && p.Pages == "", "paging: a bare list has no other fields")
}

func (c *checker) parent(k Kind) {
	if k.Parent.Kind == "" {
		c.require(k.Parent.Field == "", "a parent's field without its kind")
		return
	}
	c.require(c.seen[k.Parent.Kind], "its parent %s does not come before it", k.Parent.Kind)
	for _, l := range k.Listings {
		used := strings.Contains(l.Path, "{parent}")
		for _, v := range l.Query {
			used = used || strings.Contains(v, "{parent}")
		}
		c.require(used, "is listed by parent, and the listing does not use {parent}")
	}
}

func (c *checker) name(k Kind) {
	c.require(k.Name.Singleton == "" || len(k.Name.Fields) == 0, "a singleton is named by nothing")
	for _, f := range k.Name.Fields {
		c.require(f != "" && !strings.Contains(f, "[]") && !strings.Contains(f, "*"), "name: path %q", f)
	}
}

func (c *checker) field(k Kind, f Field) {
	c.require(f.Path != "", "a field without a path")
	c.require(f.Ref == "" || c.kinds[f.Ref], "%s refers to %s, which is not in the table", f.Path, f.Ref)
	c.require(f.By == "" == (len(f.Kinds) == 0), "%s: By and Kinds go together", f.Path)
	c.require(f.By == "" || f.Ref == "" && f.Form == Plain, "%s: By is for plain references without Ref", f.Path)
	for _, to := range f.Kinds {
		c.require(c.kinds[to], "%s refers to %s, which is not in the table", f.Path, to)
	}
	isRef := f.Ref != "" || f.By != ""
	switch f.Form {
	case Plain:
	case ID, ByName, IDKeys:
		c.require(isRef, "%s has the form of a reference and is none", f.Path)
	case Text:
		c.require(!isRef, "%s is a reference in text", f.Path)
	default:
		c.require(false, "%s: no such form", f.Path)
	}
	c.require(len(f.Literals) == 0 || isRef, "%s has literals and is no reference", f.Path)
	c.require(!f.Volatile || !isRef && !f.Secret && f.Default == nil, "%s is volatile and something else", f.Path)
	c.require(!f.Set || f.ListKey == "", "%s is a set and a keyed list", f.Path)
	if f.Default != nil {
		v, err := resource.Canonical(f.Default)
		c.require(err == nil && resource.Equal(v, f.Default), "%s: the default is not canonical", f.Path)
	}
	for _, s := range []Sent{f.Create, f.Update} {
		c.require(s.As == "" || !strings.ContainsAny(f.Path, ".[*"), "%s is sent as %s and not at the top", f.Path, s.As)
		c.require(!s.Omit || s.As == "", "%s is sent as %s and omitted", f.Path, s.As)
	}
	_ = k
}

func (c *checker) part(k Kind, p Part) {
	c.require(p.Field != "" && !strings.ContainsAny(p.Field, ".[*"), "part %q is not at the top", p.Field)
	c.require((p.List == nil) != (p.Get == nil), "part %s: List or Get", p.Field)
	c.require(k.Detail || len(k.Listings) == 0 || k.Get.Path != "", "part %s: without Get it cannot be found again", p.Field)
	if p.List != nil {
		c.listing(k, *p.List)
		c.require(p.Guard == Guard{}, "part %s: a list has no guard", p.Field)
	} else {
		c.operation(k, "part "+p.Field+" Get", *p.Get, http.MethodGet)
		c.require(p.Add.Method == "" && p.Remove.Method == "" && p.Item == "" && !p.Bare, "part %s: a document has no elements", p.Field)
	}
	c.operation(k, "part "+p.Field+" Put", p.Put, http.MethodPut, http.MethodPost, http.MethodPatch)
	for _, o := range []Operation{p.Add, p.Remove, p.Change} {
		c.operation(k, "part "+p.Field, o, http.MethodPost, http.MethodDelete, http.MethodPatch, http.MethodPut)
	}
	c.require((p.Add.Method == "") == (p.Remove.Method == ""), "part %s: Add and Remove go together", p.Field)
	c.require(p.Put.Method == "" || p.Add.Method == "", "part %s: Put or Add and Remove", p.Field)
	c.require(p.Write == nil || p.List != nil && p.Put.Method == "" && p.Add.Method == "", "part %s: Write stands in for Put, Add and Remove of a list", p.Field)
	c.require(!p.AddIDs || p.Add.Method != "" && p.Change.Method != "" && !p.Bare, "part %s: AddIDs takes an Add and a Change", p.Field)
	c.require(p.Chunk >= 0, "part %s: Chunk below zero", p.Field)
}
