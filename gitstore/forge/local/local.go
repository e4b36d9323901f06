// Package local is a forge without a server: pull requests, comments, statuses
// and deployments kept in a Git repository, under one ref of their own.
//
// It knows Git through gitstore and nothing of what the pull requests are about.
// Everything it holds is in the tree of that ref, and everybody who can push to
// the repository can be a client of the same forge:
//
//	forge.json                         version of this layout, numbers handed out
//	pulls/000/12.json                  pull request 12
//	comments/000/12/000000034.json     a comment on it
//	commands/000000/000000034.json     the commands in that comment, once more, in order of arrival
//	statuses/ab/<rest of commit>.json  the statuses of a commit
//	deployments/prod/ab/<id>.json      a deployment
//
// A change is one commit on the ref, pushed by compare-and-swap; who loses the
// race looks again and tries again. So numbers are unique and ascend, and the
// ref's log says who did what.
//
// What Git itself says is not written down but read: where the head branch of an
// open pull request is, and whether its base has it already. So a pull request
// that somebody merged with git alone reads as merged, and a merge that was cut
// off between two pushes completes itself.
package local

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
)

// DefaultRef is where a forge is kept unless Options say otherwise.
const DefaultRef = "refs/driftback/forge"

// Options of a Forge. The zero value works.
type Options struct {
	// User is who acts: "ann" or "Ann Lee <ann@example.org>". It is recorded as author of what is
	// made and as the one who closed. Default driftback.
	User string
	// Ref is where the forge is kept; the store must mirror it. Default DefaultRef.
	Ref string
	// Protect names branches onto which Merge does not merge: what a review rule is elsewhere.
	Protect []string
	// Teams are the members of teams, by name, for who may command what.
	Teams map[string][]string
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Wait is called before a lost race is tried again, with the number of attempts lost so far. It may
	// sleep, with jitter; an error ends the attempts. By default nobody waits: each race has a winner.
	Wait func(ctx context.Context, lost int) error
	// Logger hears of lost races at debug level. By default nobody does.
	Logger *slog.Logger
}

// A Forge is a client of the forge kept in a repository. Its methods may be
// called concurrently, and so may those of other clients, wherever they are.
type Forge struct {
	store   *gitstore.Store
	ref     string
	protect []string
	teams   map[string][]string
	now     func() time.Time
	wait    func(ctx context.Context, lost int) error
	log     *slog.Logger
	user    string // name alone
	email   string

	writing chan struct{} // holds one token while a change is made: our own changes do not race each other

	mu      sync.Mutex // guards what follows
	cached  *index
	derived map[int]derivation // by number: what Git says of what is open
}

var (
	_ forge.Forge     = (*Forge)(nil)
	_ forge.Protector = (*Forge)(nil)
)

// Open returns a client of the forge in store's repository. Nothing is read or
// written until a method is called; a forge that is not there yet is empty.
func Open(store *gitstore.Store, o Options) (*Forge, error) {
	ref := cmp.Or(o.Ref, DefaultRef)
	if !strings.HasPrefix(ref, "refs/") || !forge.ValidBranch(strings.TrimPrefix(ref, "refs/")) {
		return nil, fmt.Errorf("forge ref %q: %w", ref, forge.ErrInvalid)
	}
	f := &Forge{
		store:   store,
		ref:     ref,
		protect: slices.Clone(o.Protect),
		teams:   maps.Clone(o.Teams),
		now:     o.Now,
		wait:    o.Wait,
		log:     o.Logger,
		writing: make(chan struct{}, 1),
		cached:  &index{},
		derived: map[int]derivation{},
	}
	if f.now == nil {
		f.now = time.Now
	}
	if f.wait == nil {
		f.wait = func(context.Context, int) error { return nil }
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	f.user, f.email = splitUser(cmp.Or(o.User, "driftback"))
	return f, nil
}

// splitUser takes "Ann Lee <ann@example.org>" apart; what is no address is all name.
func splitUser(s string) (name, email string) {
	if a, err := mail.ParseAddress(s); err == nil {
		s, email = cmp.Or(a.Name, a.Address), a.Address
	}
	return cmp.Or(forge.CleanTitle(s), "driftback"), email
}

// Pulls returns the matching pull requests, newest first.
func (f *Forge) Pulls(ctx context.Context, filter forge.Filter) ([]forge.Pull, error) {
	v, err := f.synced(ctx)
	if err != nil {
		return nil, fmt.Errorf("list pull requests: %w", err)
	}
	from := v.idx.pulls
	if filter.State == forge.Open {
		from = v.idx.open
	}
	var pulls []forge.Pull
	for _, e := range slices.Backward(from) {
		if filter.Head != "" && e.Head != filter.Head || filter.Base != "" && e.Base != filter.Base {
			continue
		}
		p, err := v.now(e)
		if err != nil {
			return nil, fmt.Errorf("list pull requests: %w", err)
		}
		if filter.State == "" || p.State == filter.State {
			if pulls = append(pulls, v.shown(p)); len(pulls) == filter.Newest {
				break
			}
		}
	}
	return pulls, nil
}

// Pull returns pull request n; ErrNotFound.
func (f *Forge) Pull(ctx context.Context, n int) (forge.Pull, error) {
	v, err := f.synced(ctx)
	if err != nil {
		return forge.Pull{}, fmt.Errorf("read pull request #%d: %w", n, err)
	}
	p, err := v.pull(n)
	if err != nil {
		return forge.Pull{}, fmt.Errorf("read pull request #%d: %w", n, err)
	}
	return v.shown(p), nil
}

// synced returns a view of the forge as the remote has it now, or had it when the store last looked where ctx permits that.
func (f *Forge) synced(ctx context.Context) (*view, error) {
	if refs := f.store.Refs(); forge.MayBeRecent(ctx) && len(refs) > 0 && ctx.Err() == nil {
		return f.view(refs)
	}
	refs, err := f.store.Sync(ctx)
	if err != nil {
		return nil, err
	}
	return f.view(refs)
}

// today is the time that is written down: to the second, as Git keeps it.
func (f *Forge) today() time.Time { return f.now().UTC().Truncate(time.Second) }
