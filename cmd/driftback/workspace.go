package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/github"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/metrics"
	"github.com/driftback/driftback/vendors"
)

// A workspace is the configuration with what it names opened: the repository and
// its forge. It belongs to one goroutine.
type workspace struct {
	path    string // of the configuration
	src     []byte // its content
	config  *config
	log     *slog.Logger
	secrets resolver
	metrics *metrics.Metrics // nil for commands

	transport *http.Transport // to servers; nil for the default
	store     *gitstore.Store
	forge     forge.Forge
	local     *local.Forge  // the forge, where it is the built-in one
	github    *github.Forge // the forge, where it is GitHub
	cleanup   []cleanup     // undone last in, first out
}

type cleanup struct {
	name string
	do   func() error
}

// load reads the configuration and opens nothing. use says how much there is to log.
func (c *cli) load(use use) (*workspace, error) {
	log, err := c.logger(use.level())
	if err != nil {
		return nil, err
	}
	path, err := findConfig(c.configPath)
	if err != nil {
		return nil, err
	}
	src, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	conf, err := loadConfig(path, src)
	if err != nil {
		return nil, err
	}
	return &workspace{path: path, src: src, config: conf, log: log, secrets: resolver{c.redact}}, nil
}

// open reads the configuration and opens the repository and its forge. use keeps
// the disposable copies of the daemon and of commands apart.
func (c *cli) open(ctx context.Context, use use) (*workspace, error) {
	w, err := c.load(use)
	if err != nil {
		return nil, err
	}
	if err := w.openStore(ctx, use); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *workspace) openStore(ctx context.Context, use use) error {
	if err := w.openTransport(ctx); err != nil {
		return err
	}
	if w.config.Forge.GitHub != nil {
		if err := w.openGitHub(ctx); err != nil {
			return err
		}
	}
	auth, err := w.auth(ctx)
	if err != nil {
		return err
	}
	signer, err := w.signer(ctx)
	if err != nil {
		return err
	}
	r := w.config.Repository
	options := gitstore.Options{
		URL:       r.URL,
		Auth:      auth,
		Committer: gitstore.Signature{Name: r.Author.Name, Email: r.Author.Email},
		Signer:    signer,
		Logger:    w.log,
		Timeout:   time.Duration(r.Timeout),
	}
	options.Transport = w.gitTransport()
	if options.Dir, err = mirrorDir(r, use); err != nil {
		return err
	}
	if w.store, err = openStore(ctx, options, use); err != nil {
		return err
	}
	w.onClose("repository", w.store.Close)
	if w.github != nil {
		return nil
	}
	actor := actingUser()
	if use != useCommand {
		actor = fmt.Sprintf("%s <%s>", r.Author.Name, r.Author.Email)
	}
	o := local.Options{User: actor, Logger: w.log}
	if l := w.config.Forge.Local; l != nil {
		o.Teams = l.Teams
	}
	if w.local, err = local.Open(w.store, o); err != nil {
		return err
	}
	w.forge = w.local
	return nil
}

// openStore opens the repository. Where another process has the disposable copy, the daemon
// waits for a while, as at a restart; a command does without one.
func openStore(ctx context.Context, o gitstore.Options, use use) (*gitstore.Store, error) {
	s, err := gitstore.Open(ctx, o)
	for try := 0; use == useDaemon && errors.Is(err, syscall.EAGAIN) && try < 40; try++ {
		if err := (vendors.SystemClock{}).Sleep(ctx, 250*time.Millisecond); err != nil {
			return nil, err
		}
		s, err = gitstore.Open(ctx, o)
	}
	if use != useDaemon && errors.Is(err, syscall.EAGAIN) {
		o.Dir = ""
		s, err = gitstore.Open(ctx, o)
	}
	return s, err
}

// A use is what a workspace is opened for.
type use string

const (
	useDaemon  use = "daemon"
	useOnce    use = "once" // run --once, which is the daemon for one pass
	useCommand use = "command"
)

func (u use) level() slog.Level {
	if u == useCommand {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// auth returns how to sign in. Tokens are read anew for each request, because they expire.
func (w *workspace) auth(ctx context.Context) (gitstore.Auth, error) {
	a := w.config.Repository.Auth
	out := gitstore.Auth{User: a.User}
	if u, err := url.Parse(w.config.Repository.URL); err == nil {
		if password, ok := u.User.Password(); ok {
			w.secrets.redact.add(password)
			w.secrets.redact.add(u.User.Username() + ":" + password)
		}
	}
	if a.Token.isSet() {
		out.Token = func(ctx context.Context) (string, error) {
			token, err := w.secrets.resolve(ctx, a.Token)
			if err == nil {
				w.secrets.redact.add(a.User + ":" + token) // as it is sent
			}
			return token, err
		}
	}
	if out.Token == nil && a.SSH == nil && w.github != nil && isHTTP(w.config.Repository.URL) {
		out.Token = w.github.Token
	}
	if a.SSH == nil {
		return out, nil
	}
	out.User = "" // the URL's, or git
	key, err := w.secrets.resolve(ctx, a.SSH.Key)
	if err != nil {
		return out, fmt.Errorf("repository.auth.ssh.key: %w", err)
	}
	out.SSHKey = []byte(key + "\n")
	if out.KnownHosts, err = os.ReadFile(a.SSH.KnownHosts); err != nil {
		return out, fmt.Errorf("repository.auth.ssh.knownHosts: %w", err)
	}
	return out, nil
}

// isHTTP reports whether a repository is reached by http or https.
func isHTTP(url string) bool {
	return strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")
}

// mirrorDir is where the disposable copy of the repository is kept.
func mirrorDir(r repositoryConfig, use use) (string, error) {
	root := r.Mirror
	if root == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("repository.mirror: not set, and there is no cache directory: %w", err)
		}
		root = filepath.Join(cache, "driftback")
	}
	id := sha256.Sum256([]byte(r.URL))
	return filepath.Join(root, hex.EncodeToString(id[:8]), string(use)), nil
}

// actingUser is who is recorded for what a command does: $DRIFTBACK_USER, which
// may be "Ann Lee <ann@example.org>", or the login.
func actingUser() string {
	if name := os.Getenv("DRIFTBACK_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// onClose adds what close undoes.
func (w *workspace) onClose(name string, do func() error) {
	w.cleanup = append(w.cleanup, cleanup{name, do})
}

// close releases what was opened, last in, first out.
func (w *workspace) close() error {
	var errs []error
	for _, c := range slices.Backward(w.cleanup) {
		if err := c.do(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", c.name, err))
		}
	}
	w.cleanup = nil
	return errors.Join(errs...)
}
