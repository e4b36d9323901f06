package simulator

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// state is what a file holds.
type state struct {
	Version int
	Drawn   uint64
	Orgs    map[string]*Org
}

// Save writes the organisations: their clients, objects and audit logs. Tokens, jobs, channels and faults are not kept.
func (s *Server) Save(w io.Writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(state{Version: 1, Drawn: s.drawn, Orgs: s.orgs})
}

// Load replaces all organisations with what Save wrote.
func (s *Server) Load(r io.Reader) error {
	var st state
	d := json.NewDecoder(r)
	d.UseNumber()
	if err := d.Decode(&st); err != nil {
		return fmt.Errorf("load state: %w", err)
	}
	if st.Version != 1 {
		return fmt.Errorf("load state: version %d is not known", st.Version)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, o := range st.Orgs {
		o.s = s
		o.ready()
		for id, x := range o.Objects {
			k := s.kinds[x.Kind]
			if k == nil {
				return fmt.Errorf("load state: organisation %s: object %s: kind %q is not known", name, id, x.Kind)
			}
			if x.Links == nil {
				x.Links = map[string][]link{}
			}
			if u := o.unique(k, x.Body); u != "" && !x.Gone {
				o.names[u] = id
			}
		}
	}
	s.orgs = st.Orgs
	s.tokens, s.uploads, s.channels = map[string]*token{}, map[string]*job{}, map[string]*channel{}
	s.rng, s.drawn = rand.New(rand.NewPCG(s.o.Seed, st.Drawn)), st.Drawn // #nosec G404 -- a simulator repeats itself; but not the numbers that were drawn before
	return nil
}

// SaveFile writes the state into a file, whole or not at all. The file holds the clients' secrets, so
// that only its owner may read it.
func (s *Server) SaveFile(name string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".state-*")
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	defer os.Remove(f.Name())
	err = s.Save(f)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}

// LoadFile reads what SaveFile wrote.
func (s *Server) LoadFile(name string) error {
	f, err := os.Open(name) // #nosec G304 -- the caller's file
	if err != nil {
		return fmt.Errorf("load state: %w", err)
	}
	defer f.Close()
	return s.Load(f)
}
