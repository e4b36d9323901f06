package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
)

// Company is whose contact centre it is.
const Company = "Alpine Mutual"

// Environments are the organisations that there are.
func Environments() []string { return []string{"dev", "test", "prod"} }

// Name is what the organisation of an environment is called.
func Name(env string) string { return Company + " " + env }

type value = map[string]any

// A builder makes objects and remembers the first error.
type builder struct {
	env string
	org *simulator.Org
	by  simulator.Hand
	ids map[string]string // by kind/name
	err error
}

// age is how long ago everything was set up.
const age = 90 * 24 * time.Hour

// Seed makes the organisation of an environment with its configuration.
func Seed(s *simulator.Server, env string) (*simulator.Org, error) {
	b := &builder{env: env, org: s.Org(Name(env)), ids: map[string]string{}}
	b.by = b.org.By("Installation")
	for _, part := range []func(){b.people, b.routing, b.hours, b.prompts, b.tables, b.flows, b.queues, b.entries, b.integrations, b.outbound, b.responses, b.web, b.quality} {
		if part(); b.err != nil {
			return nil, fmt.Errorf("seed %s: %w", env, b.err)
		}
	}
	b.org.Age(age)
	return b.org, nil
}

// in is what an environment has in place of what production has.
func in[T any](b *builder, prod, test, dev T) T {
	switch b.env {
	case "prod":
		return prod
	case "test":
		return test
	}
	return dev
}

// make creates an object.
func (b *builder) make(kind, name string, body value) string {
	if b.err != nil {
		return ""
	}
	body["name"] = name
	id, err := b.by.Create(kind, body)
	if err != nil {
		b.err = err
		return ""
	}
	b.ids[kind+"/"+name] = id
	return id
}

// id is that of an object that was made before.
func (b *builder) id(kind, name string) string {
	id := b.ids[kind+"/"+name]
	if id == "" && b.err == nil {
		b.err = fmt.Errorf("%s %q is not made yet", kind, name)
	}
	return id
}

func (b *builder) ref(kind, name string) value { return value{"id": b.id(kind, name)} }

func (b *builder) refs(kind string, names ...string) []any {
	out := []any{}
	for _, n := range names {
		out = append(out, b.ref(kind, n))
	}
	return out
}

func (b *builder) division(name string) value { return b.ref("division", name) }

// link adds an element of a sub-collection.
func (b *builder) link(kind, name, collection, element string, v value) {
	if b.err == nil {
		b.err = b.by.Link(kind, b.id(kind, name), collection, element, v)
	}
}

func email(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, " ", ".")) + "@alpine-mutual.example"
}
