package reconciler

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler/credential"
	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/reconciler/plan"
	"github.com/driftback/driftback/reconciler/window"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// A Mode says what driftback may do to an environment.
type Mode string

// The modes. Observe never writes to the platform; Enforce undoes changes made by hand.
const (
	Observe Mode = "observe"
	Sync    Mode = "sync"
	Enforce Mode = "enforce"
)

// A Platform is what a pass needs of a live system. *vendors.Target is one.
type Platform interface {
	Kinds() []resource.KindInfo
	Observe(ctx context.Context, r vendors.Request) (*resource.Snapshot, error)
	Read(ctx context.Context, keys []resource.Key) (*resource.Snapshot, error)
	Apply(ctx context.Context, c resource.Change) (resource.Resource, error)
	Activator() (vendors.Activator, bool)
	Runner() (vendors.Runner, bool)
	Auditor() (vendors.Auditor, bool)
	Watcher() (vendors.Watcher, bool)
	Settler() (vendors.Settler, bool)
}

// An Environment is one live system and where its configuration stands in Git.
type Environment struct {
	Name     string
	Platform Platform
	Mode     Mode          // default Observe
	Every    time.Duration // between full passes; default a minute
	Branch   string        // tracked branch; default main
	Path     string        // folder of the repository that holds environments/ and shared/; default its root
	Guard    plan.Limits   // zero: 10 deletions, 20 % changes
	// Windows are when it may be deployed to; none: always.
	Windows window.Windows
	// OnClose "revert" lets closing a drift pull request deploy Git's value again; default silences.
	OnClose string
	// MergeText lets texts that were merged line by line be deployed where the activation checks them.
	// It is ignored where the platform's activation does not check anything.
	MergeText bool
	// Attribution is how much of a person is written to Git: name (default), login or none.
	Attribution string
	// Fingerprint returns a keyed fingerprint of what the operator's secret of that name is now. Without it, secrets are
	// written with what is created, where Git names another, and on request only.
	Fingerprint func(name string) (string, error)
	// Rollback says what becomes of commits that could not be deployed.
	Rollback Rollback
	// Announce says what pull requests are told.
	Announce Announce
	Allow    credential.Allow
	// AwaitSettled makes a pass wait for objects that are still being written, as run --once does.
	AwaitSettled bool
}

// Config configures a Reconciler. Store, Forge and Environments are required.
type Config struct {
	Store        *gitstore.Store
	Forge        forge.Forge
	Environments []Environment
	Clock        vendors.Clock
	Logger       *slog.Logger
	// Owner tells this process from others that work on the same repository; default random.
	Owner string
	// ClaimFor is how long a claim on an environment holds; default a minute.
	ClaimFor time.Duration
	// RequestTimeout bounds one request to a platform, a forge or Git; nothing is begun later than this before the claim's deadline. Default 15 s.
	RequestTimeout time.Duration
	// Jitter returns a number in [0, 1); it spreads timers and retries. Default random.
	Jitter func() float64
	// OnReport is called after each pass, by the goroutine that made it.
	OnReport func(Report)
	// Redact takes what must not be shown out of texts that come from a platform, before they reach Git, a
	// forge or a report. Default leaves them as they are.
	Redact func(string) string
	// Conceal takes known secrets and what has the shape of a token out of texts that go to a forge, and leaves the rest
	// as it is. Default leaves them as they are.
	Conceal func(string) string
	// Holds reports whether a text holds a secret of the operator, so that an object which shows one is kept out of Git like
	// everything that looks like a credential. Default knows none.
	Holds func(string) bool
	// Cache keeps what was parsed of Git's files between runs; nil parses them anew at every start.
	Cache Cache
	// Prefix of branches and refs of ours; default driftback.
	Prefix string
	// StateBranch keeps the states in branches, refs/heads/driftback/state/ENV, where a forge's rules for branches
	// can protect them; by default in refs/driftback/state/ENV, which nobody sees.
	StateBranch bool
	// SkipCI asks the forge's CI, in the commits' messages, to leave the live branches and the states alone: nothing
	// in them is anybody's to build.
	SkipCI bool
}

// A Cache keeps bytes by name between runs of the program. Losing them costs time only.
type Cache interface {
	// Load returns what was saved, or nil.
	Load(name string) []byte
	Save(name string, b []byte) error
}

// claimMargin is added to another owner's deadline before its environment is taken over: it covers
// clocks that differ.
const claimMargin = 5 * time.Second

// A Reconciler keeps environments and their Git sides in agreement. It is safe for concurrent use;
// one environment is worked on by one goroutine at a time.
type Reconciler struct {
	c    Config
	log  *slog.Logger
	envs map[string]*environment
}

// New returns a Reconciler; it does no I/O.
func New(c Config) (*Reconciler, error) {
	if c.Store == nil || c.Forge == nil {
		return nil, errors.New("reconciler: a store and a forge are required")
	}
	if c.Clock == nil {
		c.Clock = wallClock{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Owner == "" {
		c.Owner = rand.Text()
	}
	if c.ClaimFor == 0 {
		c.ClaimFor = time.Minute
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = 15 * time.Second
	}
	if c.Jitter == nil {
		c.Jitter = randomJitter
	}
	if c.Redact == nil {
		c.Redact = func(s string) string { return s }
	}
	if c.Conceal == nil {
		c.Conceal = func(s string) string { return s }
	} else {
		c.Forge = guarded{c.Forge, c.Conceal}
	}
	if c.Prefix == "" {
		c.Prefix = "driftback"
	}
	r := &Reconciler{c: c, log: c.Logger, envs: map[string]*environment{}}
	for _, e := range c.Environments {
		env, err := newEnvironment(r, e)
		if err != nil {
			return nil, err
		}
		if r.envs[e.Name] != nil {
			return nil, fmt.Errorf("environment %s: named twice", e.Name)
		}
		r.envs[e.Name] = env
	}
	return r, nil
}

// Environments returns the names, sorted.
func (r *Reconciler) Environments() []string { return slices.Sorted(maps.Keys(r.envs)) }

// environment is one environment at run time. Its fields below mu belong to whoever holds it.
type environment struct {
	Environment
	r       *Reconciler
	log     *slog.Logger
	kinds   []resource.KindInfo
	schemas map[resource.Kind]*resource.Schema
	raw     map[resource.Kind]bool
	// descriptors are digests of kinds: see noteDescriptors.
	descriptors map[resource.Kind]string
	hidden      map[resource.Kind]map[resource.Key]bool // of kinds that were learnt from in part: what could not be read then
	refs        refs
	wake        atomic.Pointer[worker]

	mu      sync.Mutex
	want    treeAt  // of the tracked branch
	base    treeAt  // of the state ref
	live    treeAt  // of the live branch
	state   *state  // as loaded from the state ref's tip
	failing failing // the deployment that fails in passing ways
	// refused is what cannot be written to the tracked branch as it is at refusedAt.
	refused   map[resource.Key]refusal
	refusedAt gitstore.ID
	// numbers are those of pull requests, by the commit at their head: written down with the next state.
	numbers map[gitstore.ID]int
	tidied  tidied
	rotated rotated
	// atRest is the commit of the tracked branch at which the last pass left nothing to be deployed; zero where it did.
	atRest gitstore.ID
	// takenBack are reverts as they stand on their branches, by id.
	takenBack map[string]takenBack
	// previewed is what the last previews of pull requests rested on, by number; referred is who refers to whom.
	previewed map[int]previewed
	checkedAt map[int]string // what the statuses of those of ours rested on

	againMu sync.Mutex // guards again
	again   []string   // heads of pull requests that are to be told anew

	referred referenceIndex
	// cursor is how far commands were looked for, without finding any, since the one that the state had then.
	cursor cursor
	cached bool // the caches were written down since the start
	// claimed is when the claim that we hold was taken, by our own clock; zero when we hold none.
	claimed time.Time
}

func newEnvironment(r *Reconciler, e Environment) (*environment, error) {
	if e.Name == "" || e.Platform == nil {
		return nil, errors.New("environment: a name and a platform are required")
	}
	if e.Mode == "" {
		e.Mode = Observe
	}
	if e.Every == 0 {
		e.Every = time.Minute
	}
	if e.Branch == "" {
		e.Branch = "main"
	}
	if e.Guard == (plan.Limits{}) {
		e.Guard = plan.DefaultLimits
	}
	env := &environment{Environment: e, r: r, log: r.log.With("env", e.Name), schemas: map[resource.Kind]*resource.Schema{}, raw: map[resource.Kind]bool{}, numbers: map[gitstore.ID]int{}}
	for _, k := range e.Platform.Kinds() {
		env.kinds = append(env.kinds, k)
		env.schemas[k.Kind] = k.Schema()
		env.raw[k.Kind] = k.Raw
	}
	env.descriptors, env.hidden = descriptorsOf(env.kinds), map[resource.Kind]map[resource.Key]bool{}
	env.refs = newRefs(r.c.Prefix, r.c.StateBranch, e.Name, e.Branch)
	own, shared := "environments/"+e.Name, "shared"
	if e.Path != "" {
		own, shared = e.Path+"/"+own, e.Path+"/"+shared
	}
	cache := r.loadCache(e.Name)
	env.want.cache, env.base.cache, env.live.cache = cache, cache, cache // most blobs are in all three
	env.want.layout = files.Layout{Root: own, Shared: shared, Kinds: env.kinds}
	env.base.layout = files.Layout{Root: baseDir, Kinds: env.kinds}
	env.live.layout = files.Layout{Root: "", Kinds: env.kinds}
	return env, nil
}

func (r *Reconciler) loadCache(name string) *files.Cache {
	c := files.NewCache()
	if r.c.Cache != nil {
		if err := c.UnmarshalBinary(r.c.Cache.Load(name)); err != nil {
			return files.NewCache()
		}
	}
	return c
}

// saveCaches writes down what was parsed, so that the next start need not parse it again.
func (e *environment) saveCaches() {
	if e.r.c.Cache == nil {
		return
	}
	b, err := e.want.cache.MarshalBinary()
	if err == nil {
		err = e.r.c.Cache.Save(e.Name, b)
	}
	if err != nil {
		e.log.Warn("keep what was parsed for the next start", "error", err)
	}
	e.cached = true
}

// isRaw reports whether the kind's files are bytes.
func (e *environment) isRaw(k resource.Kind) bool { return e.raw[k] }

// refs are the names in Git of one environment.
type refs struct {
	tracked string // refs/heads/main
	live    string // refs/heads/live/prod
	state   string // refs/driftback/state/prod, or below refs/heads/
	drift   string // driftback/drift/prod: a branch, without refs/heads/
	revert  string // driftback/revert/prod: what branches that take something back begin with
}

func newRefs(prefix string, stateBranch bool, env, branch string) refs {
	states := "refs/"
	if stateBranch {
		states = "refs/heads/"
	}
	return refs{
		tracked: "refs/heads/" + branch,
		live:    "refs/heads/live/" + env,
		state:   states + prefix + "/state/" + env,
		drift:   prefix + "/drift/" + env,
		revert:  prefix + "/revert/" + env,
	}
}

// treeAt is the parsed form of an environment's files at one commit.
type treeAt struct {
	layout files.Layout
	commit gitstore.ID
	tree   *files.Tree
	cache  *files.Cache // what was parsed of its blobs
}

// move brings the tree to another commit, reading only what differs. On an error t is unchanged.
func (t *treeAt) move(s *gitstore.Store, to gitstore.ID) error {
	if t.tree != nil && t.commit == to {
		return nil
	}
	next, err := t.at(s, to)
	if err == nil {
		*t = next
	}
	return err
}

// share takes what the tree's index has in common with another one from there.
func (t *treeAt) share(with treeAt) {
	if t.tree != nil && with.tree != nil {
		t.tree = t.tree.Sharing(with.tree.Snapshot())
	}
}

// at returns the tree at another commit and leaves t as it is.
func (t *treeAt) at(s *gitstore.Store, to gitstore.ID) (treeAt, error) {
	read := func(id [20]byte, limit int64) ([]byte, error) {
		b, err := s.Blob(id, limit)
		if errors.Is(err, gitstore.ErrTooLarge) {
			return nil, fmt.Errorf("%w: %w", files.ErrTooLarge, err)
		}
		return b, err
	}
	next := treeAt{layout: t.layout, commit: to, cache: t.cache}
	if t.tree != nil {
		if t.commit == to {
			return *t, nil
		}
		var ds []files.Delta
		for _, p := range t.layout.Prefixes() {
			if err := s.Diff(t.commit, to, p, func(d gitstore.Delta) error {
				ds = append(ds, files.Delta{Path: d.Path, Old: file(d.Old), New: file(d.New)})
				return nil
			}); err != nil {
				return next, err
			}
		}
		var err error
		next.tree, err = t.tree.Update(ds, read)
		return next, err
	}
	var fs []files.File
	for _, p := range t.layout.Prefixes() {
		if err := s.Files(to, p, func(f gitstore.File) error {
			fs = append(fs, file(f))
			return nil
		}); err != nil {
			return next, err
		}
	}
	var err error
	next.tree, err = t.layout.Load(fs, read, t.cache)
	return next, err
}

func file(f gitstore.File) files.File {
	return files.File{Path: f.Path, ID: f.ID, Mode: uint32(f.Mode)}
}
