package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge/github"
)

// openGitHub makes the client of GitHub. It does not connect.
func (w *workspace) openGitHub(ctx context.Context) error {
	g := w.config.Forge.GitHub
	at, _ := w.config.slug() // it was checked
	o := github.Options{
		URL: at.server, Owner: at.owner, Repo: at.name, Login: g.Login, Teams: union(g.Teams, w.config.commandTeams()), Logins: map[string]string{}, MergeMethod: g.MergeMethod,
		OnRequest: w.metrics.GitHubRequest,
		OnLimit:   func(l github.Limit) { w.metrics.GitHubLimit(l.Resource, l.Remaining) },
		OnToken:   (&tokenKeeper{redact: w.secrets.redact, user: w.config.Repository.Auth.User}).heard,
		Logger:    w.log,
	}
	for email, login := range g.Logins {
		o.Logins[strings.ToLower(email)] = login
	}
	if w.transport != nil { // not a nil *http.Transport in an interface
		o.Transport = w.transport
	}
	source := g.Token
	switch {
	case g.App != nil:
		key, err := w.secrets.resolve(ctx, g.App.Key)
		if err != nil {
			return fmt.Errorf("forge.github.app.key: %w", err)
		}
		o.App = &github.App{ID: g.App.ID, Installation: g.App.Installation, Key: []byte(key + "\n")}
	case !source.isSet():
		source = w.config.Repository.Auth.Token
		fallthrough
	default:
		o.Token = func(ctx context.Context) (string, error) { return w.secrets.resolve(ctx, source) }
	}
	f, err := github.New(o)
	if err != nil {
		return err
	}
	w.github, w.forge = f, f
	return nil
}

// A tokenKeeper keeps tokens that come and go out of logs: those that are used now, and a few before them.
type tokenKeeper struct {
	redact *redactor
	user   string

	mu   sync.Mutex
	last []string
}

// keptTokens is how many tokens of an app are remembered: each is good for an hour.
const keptTokens = 4

func (k *tokenKeeper) heard(token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range k.last {
		if t == token {
			return
		}
	}
	k.redact.add(token)
	k.redact.add(k.user + ":" + token) // as it is sent
	if k.last = append(k.last, token); len(k.last) > keptTokens {
		k.redact.forget(k.last[0])
		k.redact.forget(k.user + ":" + k.last[0])
		k.last = k.last[1:]
	}
}

// openTransport makes what connects to the servers of the repository and the forge, where the configuration says
// anything about it.
func (w *workspace) openTransport(ctx context.Context) error {
	r := w.config.Repository
	if r.Proxy == "" && r.TLS == nil {
		return nil
	}
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return errors.New("repository: the default transport is another one")
	}
	t := base.Clone()
	if r.Proxy != "" {
		proxy, err := url.Parse(r.Proxy)
		if err != nil {
			return errors.New("repository.proxy: no URL") // which may hold anything
		}
		t.Proxy = http.ProxyURL(proxy)
	}
	if r.TLS != nil {
		c, err := w.tls(ctx, *r.TLS)
		if err != nil {
			return fmt.Errorf("repository.tls: %w", err)
		}
		t.TLSClientConfig = c
	}
	w.transport = t
	w.onClose("connections", func() error { t.CloseIdleConnections(); return nil })
	return nil
}

// gitTransport is how git reaches a server by http; nil for the default.
func (w *workspace) gitTransport() http.RoundTripper {
	var t http.RoundTripper
	if w.transport != nil { // not a nil *http.Transport in an interface
		t = w.transport
	}
	if w.github == nil || w.config.Repository.Auth.Token.isSet() {
		return t
	}
	if t == nil {
		t = http.DefaultTransport
	}
	return w.github.GitTransport(t)
}

// tls reads certificates. Authorities come on top of the system's.
func (w *workspace) tls(ctx context.Context, t tlsConfig) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		if c.RootCAs, err = x509.SystemCertPool(); err != nil {
			c.RootCAs = x509.NewCertPool()
		}
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s holds no certificate in PEM form", t.CA)
		}
	}
	if t.Certificate == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.Certificate)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	key, err := w.secrets.resolve(ctx, t.Key)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	pair, err := tls.X509KeyPair(pem, []byte(key))
	if err != nil {
		return nil, errors.New("certificate and key: do not belong together, or are not in PEM form")
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// signer returns what signs commits, nil for nothing.
func (w *workspace) signer(ctx context.Context) (gitstore.Signer, error) {
	source := w.config.Repository.SigningKey
	if !source.isSet() {
		return nil, nil //nolint:nilnil // nothing is to be signed
	}
	key, err := w.secrets.resolve(ctx, source)
	if err != nil {
		return nil, fmt.Errorf("repository.signingKey: %w", err)
	}
	s, err := gitstore.NewSSHSigner([]byte(key+"\n"), nil)
	if err != nil {
		return nil, fmt.Errorf("repository.signingKey: %w", err)
	}
	return s, nil
}

// skipsCI reports whether commits of live branches and states ask not to be built.
func (c *config) skipsCI() bool {
	if c.Repository.SkipCI != nil {
		return *c.Repository.SkipCI
	}
	return c.Forge.GitHub != nil
}

// statesPrefix is what the refs of the states begin with.
func (c *config) statesPrefix() string {
	if c.Repository.State == "branch" {
		return "refs/heads/driftback/state/"
	}
	return "refs/driftback/state/"
}

// redeliver asks for missed webhook deliveries until ctx ends. That none come is no trouble: passes go on by the clock.
func (w *workspace) redeliver(ctx context.Context, wait func(context.Context, time.Duration) error) {
	every := time.Duration(w.config.Forge.GitHub.Redeliver)
	since := time.Now().Add(-github.MaxBack)
	for ctx.Err() == nil {
		begun := time.Now()
		n, err := w.github.Redeliver(ctx, since)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			w.log.Warn("missed webhook deliveries cannot be asked for", "err", err)
		default:
			since = begun.Add(-2 * every)
			if n > 0 {
				w.log.Info("webhook deliveries were missed and are asked for again", "deliveries", n)
			}
		}
		if wait(ctx, every) != nil {
			return
		}
	}
}
