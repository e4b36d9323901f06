package gitstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrStop ends a walk early when a yield function returns it; the walk then returns nil.
var ErrStop = errors.New("stop")

// Options says which repository to open and how. URL or Remote must be set.
type Options struct {
	// URL of the repository: https, http, ssh, user@host:path, file, or the path of a bare repository.
	URL string
	// Dir is where the disposable copy is kept; it belongs to one Store at a time. "" keeps it in memory.
	// A repository that is a local path is read in place, and Dir is not used.
	Dir  string
	Auth Auth // how to sign in; zero means anonymously
	// Prefixes of the refs to follow; nil means refs/heads/, refs/driftback/ and refs/notes/.
	Prefixes  []string
	Committer Signature         // of every commit; When comes from Now
	Signer    Signer            // signs every commit; nil signs none
	Transport http.RoundTripper // how to reach a server by http and https; default as http.DefaultTransport
	Now       func() time.Time  // default time.Now; may be called concurrently
	Logger    *slog.Logger      // default discards
	Timeout   time.Duration     // of one request to the remote; default 60 s
	Remote    Remote            // used instead of URL: for tests and simulations
}

// Auth is how to sign in. Token is for http, the rest for ssh.
type Auth struct {
	// Token returns the password of the next request; it may change, as tokens of apps do.
	Token func(ctx context.Context) (string, error)
	User  string // default x-access-token for http, git for ssh unless the URL has one
	// SSHKey is the private key in PEM form, Passphrase what decrypts it.
	SSHKey     []byte
	Passphrase []byte
	// KnownHosts is the content of a known_hosts file. Without it no ssh host is trusted.
	KnownHosts []byte
}

// Refs are refs by full name.
type Refs map[string]ID

// A Store is an open repository. Its methods are safe for concurrent use. Methods
// with a context talk to the remote, one at a time; the others do not.
type Store struct {
	opt    Options
	remote Remote
	log    *slog.Logger

	fresh   *objectMap // objects that are not on disk
	disk    *folder    // the others; nil when everything is in memory
	mirror  *mirror    // owner of disk; nil for a repository that is read in place, and in memory
	inPlace bool       // disk is the remote itself

	following sync.Mutex          // guards also
	also      map[string][]string // refs to follow beside the prefixes, by who asked

	wire    chan struct{} // holds one token: the right to talk to the remote
	disking sync.Mutex    // the right to add packs to disk and to remove them

	mu      sync.Mutex // guards what follows
	refs    Refs
	atomic  bool
	written map[ID]written // by commit: what Write made and the remote may lack
	older   map[ID]ID      // for trees in fresh: what they replace
	graph   map[ID]node    // commits seen while walking history
	broken  error          // why the mirror must be made anew
	healed  time.Time      // when it last was
}

// Open opens the repository. It does not talk to a remote over the network: that is Sync, which must come first.
// A mirror that is damaged, or of another repository, is emptied; a Dir that holds anything else, or that another
// process uses, is an error.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Prefixes == nil {
		o.Prefixes = []string{"refs/heads/", "refs/driftback/", "refs/notes/"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	s := &Store{
		opt: o, remote: o.Remote, log: o.Logger, fresh: newObjectMap(),
		refs: Refs{}, written: map[ID]written{}, older: map[ID]ID{}, graph: map[ID]node{},
		wire: make(chan struct{}, 1),
	}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	return s, nil
}

// open finds the remote and where objects are.
func (s *Store) open() error {
	if s.remote == nil {
		dir, ok := localPath(s.opt.URL)
		if ok {
			l, err := openLocal(dir)
			if err != nil {
				return err
			}
			s.remote, s.disk, s.inPlace = l, l.objects, true
			return nil
		}
		n, err := openNetwork(s.opt)
		if err != nil {
			return err
		}
		s.remote = n
	}
	if s.opt.Dir == "" {
		return nil
	}
	m, refs, err := openMirror(s.opt.Dir, s.remote.String())
	if err != nil {
		return err
	}
	s.mirror, s.disk = m, m.folder
	for name, id := range refs {
		if s.follows(name) {
			s.refs[name] = id
		}
	}
	return nil
}

// localPath returns the folder that a URL names, if it is one of this machine.
func localPath(url string) (string, bool) {
	if path, ok := strings.CutPrefix(url, "file://"); ok {
		return path, true
	}
	if strings.Contains(url, "://") {
		return "", false
	}
	colon, slash := strings.IndexByte(url, ':'), strings.IndexByte(url, '/')
	if colon > 0 && (slash < 0 || colon < slash) { // user@host:path, as scp has it
		return "", false
	}
	return url, url != ""
}

// Close writes down what is worth keeping and releases the directory. The Store must not be used afterwards.
func (s *Store) Close() error {
	switch {
	case s.mirror != nil:
		return errors.Join(s.flush(), s.mirror.close())
	case s.disk != nil:
		return s.disk.close()
	}
	return nil
}

// Refs returns the remote's refs under the prefixes as of the last Sync or successful Push.
func (s *Store) Refs() Refs {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.refs)
}

// isTip reports whether a ref is at id.
func (s *Store) isTip(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tip := range s.refs {
		if tip == id {
			return true
		}
	}
	return false
}

// Atomic reports whether the remote moves several refs together or not at all. It is known after the first Sync.
func (s *Store) Atomic() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.atomic
}

// Sync fetches what is new at the remote and returns its refs under the prefixes: all of them or an error.
// Refs that were moved back or deleted there are so here. A mirror that was found damaged is made anew.
func (s *Store) Sync(ctx context.Context) (Refs, error) {
	release, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := s.heal(); err != nil {
		return nil, err
	}
	var refs Refs
	for try := 0; ; try++ {
		var atomic bool
		if refs, atomic, err = s.ask(ctx); err != nil {
			return nil, fmt.Errorf("list refs of %s: %w", s.remote, err)
		}
		fetched, err := s.fetch(ctx, refs)
		if err == nil {
			s.mu.Lock()
			s.refs, s.atomic = refs, atomic
			s.mu.Unlock()
			if fetched && s.mirror != nil {
				err = s.note()
			}
		} else if try == 0 && ctx.Err() == nil && !errors.Is(err, ErrAuth) { // a ref may have moved since it was listed
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("fetch from %s: %w", s.remote, err)
		}
		return maps.Clone(refs), nil
	}
}

// fetch brings what the refs refer to, and reports whether there was anything.
func (s *Store) fetch(ctx context.Context, refs Refs) (bool, error) {
	want, have := s.wants(refs, s.Refs())
	if len(want) == 0 {
		return false, nil
	}
	ctx, busy := begin(ctx, s.opt.Timeout)
	defer busy.close()
	if err := s.remote.Fetch(ctx, sink{s}, want, have); err != nil {
		return false, busy.explain(ctx, err)
	}
	for _, id := range want {
		if _, err := s.object(id); err != nil {
			return false, err
		}
	}
	return true, nil
}

// acquire takes the right to talk to the remote.
func (s *Store) acquire(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case s.wire <- struct{}{}:
		return func() { <-s.wire }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ask lists the remote's refs under the prefixes.
func (s *Store) ask(ctx context.Context) (Refs, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	all, atomic, err := s.remote.Refs(ctx)
	if err != nil {
		return nil, false, err
	}
	refs := make(Refs, len(all))
	for name, id := range all {
		if s.follows(name) && checkRef(name) == nil {
			refs[name] = id
		}
	}
	return refs, atomic, nil
}

func (s *Store) follows(ref string) bool {
	for _, p := range s.opt.Prefixes {
		if strings.HasPrefix(ref, p) {
			return true
		}
	}
	s.following.Lock()
	defer s.following.Unlock()
	for _, refs := range s.also {
		if slices.Contains(refs, ref) {
			return true
		}
	}
	return false
}

// Follow makes the next Sync bring these refs too, by full name, besides those under the prefixes. They replace what who asked
// for before; a ref that is not there is none.
func (s *Store) Follow(who string, refs []string) {
	s.following.Lock()
	defer s.following.Unlock()
	if len(refs) == 0 {
		delete(s.also, who)
		return
	}
	if s.also == nil {
		s.also = map[string][]string{}
	}
	s.also[who] = slices.Clone(refs)
}

// wants returns the tips to fetch and the tips that are here with everything they refer to.
func (s *Store) wants(refs, known Refs) (want, have []ID) {
	complete := make(map[ID]bool, len(known)+len(refs))
	for _, id := range known {
		if !complete[id] {
			complete[id] = true
			have = append(have, id)
		}
	}
	for _, id := range refs {
		if complete[id] {
			continue
		}
		complete[id] = true
		if _, ok := s.fresh.get(id); !ok { // what is in memory is complete: see Put
			want = append(want, id)
		}
	}
	sortIDs(want)
	sortIDs(have)
	return want, have
}

// object reads one object, ErrMissing if it is not there.
func (s *Store) object(id ID) (Object, error) {
	if o, ok := s.fresh.get(id); ok {
		return o, nil
	}
	if s.disk == nil {
		return Object{}, errMissing(id)
	}
	o, err := s.disk.object(id)
	if errors.Is(err, ErrMissing) { // it may have moved to disk between the two looks, or from there
		if o, ok := s.fresh.get(id); ok {
			return o, nil
		}
	}
	if damaged(err) {
		s.suspect(err)
	}
	return o, err
}
