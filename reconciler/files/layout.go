package files

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// A Layout says where an environment's objects stand in the repository.
type Layout struct {
	Root   string // folder of the environment's own files, such as environments/prod; "" is the repository's root
	Shared string // folder of the objects that every environment has; "" where there are no overlays
	Kinds  []resource.KindInfo
}

// Prefixes returns the folders that hold everything the layout reads, without a
// slash at the end.
func (l Layout) Prefixes() []string {
	var out []string
	if l.Root == "" {
		for _, k := range l.Kinds {
			if !k.ReferenceOnly {
				out = append(out, string(k.Kind))
			}
		}
	} else {
		out = append(out, l.Root)
	}
	if l.Shared != "" {
		out = append(out, l.Shared)
	}
	return out
}

// A side is one of the two folders that an object may have a file in.
type side uint8

const (
	own side = iota
	shared
)

// A kind is a descriptor made ready for use.
type kind struct {
	resource.KindInfo
	schema *resource.Schema
	mask   cacheKey // tells the kinds apart in the cache
}

// The folders of a Layout, made ready for looking paths up.
type folders struct {
	layout Layout
	prefix [2]string // of both sides, with a slash unless empty
	kinds  map[string]*kind
}

func newFolders(l Layout) *folders {
	f := &folders{layout: l, kinds: make(map[string]*kind, len(l.Kinds))}
	if l.Root != "" {
		f.prefix[own] = l.Root + "/"
	}
	if l.Shared != "" {
		f.prefix[shared] = l.Shared + "/"
	}
	for _, info := range l.Kinds {
		sum := sha256.Sum256([]byte(version(info)))
		f.kinds[string(info.Kind)] = &kind{KindInfo: info, schema: info.Schema(), mask: cacheKey(sum[:20])}
	}
	return f
}

// A class says what a path can be.
type class uint8

const (
	outside   class = iota // not ours, or of no interest
	typed                  // an object's YAML
	raw                    // an object's content
	sidecar                // what raw contents cannot say
	misplaced              // looks like ours and is not: a problem
)

// A place is what a path alone says.
type place struct {
	class class
	side  side
	kind  *kind
	name  string // of the object; empty where only the file can tell
	hash  string // in the file name of a long name
	at    string // where a problem is reported: the path, or the folder that is wrong as a whole
	err   error  // of a misplaced file
}

// key returns the object that the path stands for, the zero Key where that is not known.
func (p *place) key() resource.Key {
	if p.name == "" {
		return resource.Key{}
	}
	return resource.Key{Kind: p.kind.Kind, Name: p.name}
}

// locate reads a path.
func (f *folders) locate(path string) place {
	rest, s := "", own
	switch {
	case f.layout.Shared != "" && strings.HasPrefix(path, f.prefix[shared]):
		rest, s = path[len(f.prefix[shared]):], shared
	case strings.HasPrefix(path, f.prefix[own]):
		rest = path[len(f.prefix[own]):]
	default:
		return place{}
	}
	folder, file, inFolder := strings.Cut(rest, "/")
	k := f.kinds[folder]
	switch {
	case k == nil && s == own && f.layout.Root == "":
		return place{} // the whole repository is the folder: what is not a kind's is somebody else's
	case !inFolder && !isYAML(rest), strings.HasPrefix(folder, "."):
		return place{}
	case !inFolder:
		return place{class: misplaced, side: s, at: path, err: errors.New("objects stand in a folder of their kind, such as queue/Support.yaml")}
	case k == nil:
		return place{class: misplaced, side: s, at: path[:len(path)-len(file)-1], err: fmt.Errorf("%q is no kind that is managed here", folder)}
	case k.ReferenceOnly:
		return place{class: misplaced, side: s, at: path[:len(path)-len(file)-1],
			err: fmt.Errorf("objects of kind %s are looked up by name and not managed here", k.Kind)}
	}
	p := place{class: typed, side: s, kind: k, at: path}
	if k.Raw {
		p.locateRaw(file)
	} else {
		p.locateTyped(file)
	}
	return p
}

func (p *place) locateRaw(file string) {
	if file == sidecarName {
		p.class = sidecar
		return
	}
	p.class, p.name = raw, file
	if p.err = checkRawName(file); p.err != nil {
		p.class = misplaced
	}
}

func (p *place) locateTyped(file string) {
	if strings.HasPrefix(file, ".") {
		p.class = outside
		return
	}
	if strings.Contains(file, "/") {
		if p.class = outside; isYAML(file) {
			p.class, p.err = misplaced, errors.New("objects stand directly in the folder of their kind; a slash in a name is written %2F")
		}
		return
	}
	stem, isTyped := strings.CutSuffix(file, ext)
	if !isTyped {
		p.locateOther(file)
		return
	}
	if hash, long := longName(stem); long {
		p.hash = hash
		return
	}
	if p.name, p.err = decodeName(stem); p.err != nil {
		p.class = misplaced
	}
}

// locateOther reads a path in the folder of a typed kind that does not end in .yaml.
func (p *place) locateOther(file string) {
	stem, yml := strings.CutSuffix(file, ".yml")
	switch {
	case yml:
		p.class, p.err = misplaced, errors.New("the name of the file must end in .yaml")
		if _, long := longName(stem); !long {
			p.name, _ = decodeName(stem)
		}
	case isYAML(file):
		p.class, p.err = misplaced, errors.New("the name of the file must end in .yaml")
	case strings.HasPrefix(strings.ToLower(file), "readme"):
		p.class = outside
	default:
		// A warning only: nothing says that this was meant to be an object.
		p.class, p.kind, p.err = misplaced, nil, errors.New("not an object, whose file would end in .yaml")
	}
}

func isYAML(path string) bool {
	p := strings.ToLower(path)
	return strings.HasSuffix(p, ".yaml") || strings.HasSuffix(p, ".yml") || strings.HasSuffix(p, ".json")
}

// path returns the ordinary path of an object on one side; empty where there is none.
func (f *folders) path(s side, k resource.Key) string {
	info := f.kinds[string(k.Kind)]
	if info == nil || s == shared && f.layout.Shared == "" {
		return ""
	}
	rel, err := relPath(info.KindInfo, k.Name)
	if err != nil {
		return ""
	}
	return f.prefix[s] + rel
}
