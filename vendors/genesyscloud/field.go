package genesyscloud

import (
	"cmp"
	"slices"

	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

// The words in which kinds.go writes fields down. Each returns the fields that it stands for.

type fields = []rest.Field

// all joins what the words return. A path that several of them name has all their meanings.
func all(parts ...fields) fields {
	var out fields
	at := map[string]int{}
	for _, f := range slices.Concat(parts...) {
		i, there := at[f.Path]
		if !there {
			at[f.Path] = len(out)
			out = append(out, f)
			continue
		}
		g := &out[i]
		g.Set, g.Volatile, g.Secret = g.Set || f.Set, g.Volatile || f.Volatile, g.Secret || f.Secret
		g.Immutable, g.Operational = g.Immutable || f.Immutable, g.Operational || f.Operational
		g.EnvironmentSpecific = g.EnvironmentSpecific || f.EnvironmentSpecific
		if f.Default != nil {
			g.Default = f.Default
		}
		g.ListKey, g.Ref = cmp.Or(g.ListKey, f.ListKey), cmp.Or(g.Ref, f.Ref)
		g.Form, g.By = cmp.Or(g.Form, f.Form), cmp.Or(g.By, f.By)
	}
	return out
}

// ref is an object {id, name, selfUri} that refers to another.
func ref(path string, to resource.Kind) fields {
	return fields{{Field: resource.Field{Path: path, Ref: to}}}
}

// id is a plain id that refers to another object.
func id(path string, to resource.Kind) fields {
	return fields{{Field: resource.Field{Path: path, Ref: to}, Form: rest.ID}}
}

// refs is a list of {id} in no order; ids is one of plain ids.
func refs(path string, to resource.Kind) fields {
	return append(set(path), ref(path+"[]", to)...)
}

func ids(path string, to resource.Kind) fields {
	return append(set(path), id(path+"[]", to)...)
}

// set is a list whose order means nothing.
func set(paths ...string) fields {
	return each(paths, func(f *rest.Field) { f.Set = true })
}

// texts are strings that hold JSON.
func texts(paths ...string) fields {
	return each(paths, func(f *rest.Field) { f.Form = rest.Text })
}

// keyed is a list of objects that are told apart by a field.
func keyed(path, key string) fields {
	return fields{{Field: resource.Field{Path: path, ListKey: key}}}
}

// volatile is what the platform computes.
func volatile(paths ...string) fields {
	return each(paths, func(f *rest.Field) { f.Volatile = true })
}

// immutable can be set on creation only.
func immutable(paths ...string) fields {
	return each(paths, func(f *rest.Field) { f.Immutable = true })
}

// empty is a text whose absence means "".
func empty(paths ...string) fields {
	return each(paths, func(f *rest.Field) { f.Default = "" })
}

// none is a list whose absence means that it is empty.
func none(paths ...string) fields {
	return each(paths, func(f *rest.Field) { f.Default = []any{} })
}

// off is a switch whose absence means false.
func off(paths ...string) fields {
	return each(paths, func(f *rest.Field) { f.Default = false })
}

// operational is observed and alerted on, and not configuration.
func operational(paths ...string) fields {
	return each(paths, func(f *rest.Field) { f.Operational = true })
}

// local is expected to differ from environment to environment.
func local(paths ...string) fields {
	return each(paths, func(f *rest.Field) { f.EnvironmentSpecific = true })
}

func each(paths []string, do func(*rest.Field)) fields {
	out := make(fields, len(paths))
	for i, p := range paths {
		out[i].Path = p
		do(&out[i])
	}
	return out
}

// with changes all fields of a word: with(ref("script", script), func(f *rest.Field) { f.EnvironmentSpecific = true }).
func with(fs fields, do func(*rest.Field)) fields {
	for i := range fs {
		do(&fs[i])
	}
	return fs
}

// mine marks fields as expected to differ from environment to environment.
func mine(f *rest.Field) { f.EnvironmentSpecific = true }

// The paths of most kinds: /api/v2/routing/queues and /api/v2/routing/queues/{id}.

// crud fills in the operations of a kind that has all of them at the usual paths.
func crud(k rest.Kind, path, update string) rest.Kind {
	one := path + "/{id}"
	if len(k.Listings) == 0 {
		k.Listings = []rest.Listing{{Path: path}}
	}
	k.Get.Path = one
	k.Create.Method, k.Create.Path = "POST", path
	k.Update.Method, k.Update.Path = update, one
	k.Delete.Method, k.Delete.Path = "DELETE", one
	if update == "PATCH" {
		k.Style = rest.Patch
	}
	return k
}

// versioned adds the guard that most kinds have: the update sends the version back on which it was decided.
func versioned(k rest.Kind) rest.Kind {
	k.Guard = rest.Guard{Body: "version"}
	return k
}

// reference is a kind that is looked up by name and never managed. What is new since its names were listed is asked for by its id.
func reference(kind resource.Kind, path string) rest.Kind {
	return rest.Kind{Kind: kind, ReferenceOnly: true, Listings: []rest.Listing{{Path: path}}, Get: rest.Operation{Path: path + "/{id}"}}
}
