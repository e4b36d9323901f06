package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	centre "github.com/driftback/driftback/vendors/genesyscloud/simulator/demo"
)

// demoOptions are the flags of the demo, and where its repository lives; nil for the built-in forge.
type demoOptions struct {
	dir, listen string
	hosting     hosting
}

// A demo is a platform with three organisations, a repository and a daemon. It belongs to one goroutine; passes
// may be used by any.
type demo struct {
	dir, base, metrics, program, company string
	url                                  string // of the repository
	environments                         []string
	platform                             *simulator.Server
	orgs                                 map[string]*simulator.Org
	hosting                              hosting
	config                               string // what driftback.yaml says of the repository and the forge
	store                                *gitstore.Store
	passes                               *passes
	ended                                chan struct{} // closed when the daemon has ended
	failure                              error         // of the daemon, after ended
	cleanup                              []func() error
}

// demoSeed makes every demo the same: its ids and what it is made of.
const demoSeed = 20

// openDemo makes what is not there yet, and starts platform and daemon.
func (c *cli) openDemo(ctx context.Context, o demoOptions) (opened *demo, err error) {
	d := &demo{
		dir: o.dir, program: program(), company: centre.Company, environments: centre.Environments(), orgs: map[string]*simulator.Org{},
		passes: newPasses(), ended: make(chan struct{}), hosting: o.hosting,
	}
	if d.hosting == nil {
		d.hosting = &builtIn{d}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if err := os.MkdirAll(d.path("secrets"), 0o700); err != nil {
		return nil, err
	}
	if err := d.openPlatform(o.listen); err != nil {
		return nil, err
	}
	if err := d.openRepository(ctx); err != nil {
		return nil, err
	}
	if err := d.writeConfig(); err != nil {
		return nil, err
	}
	return d, d.startDaemon(ctx, c)
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

func (d *demo) onClose(f func() error) { d.cleanup = append(d.cleanup, f) }

// close ends everything, last in, first out.
func (d *demo) close() error {
	var errs []error
	for i := len(d.cleanup) - 1; i >= 0; i-- {
		errs = append(errs, d.cleanup[i]())
	}
	d.cleanup = nil
	return errors.Join(errs...)
}

// openPlatform starts the simulator, from the state that was kept or with new organisations.
func (d *demo) openPlatform(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || (ip == nil || !ip.IsLoopback()) && host != "localhost" {
		return fmt.Errorf("--listen %s: want an address of this machine such as 127.0.0.1:9651", listen)
	}
	d.platform = simulator.New(simulator.Options{Seed: demoSeed, Control: true})
	state := d.path("organisations.json")
	if _, err := os.Stat(state); err == nil {
		if err := d.platform.LoadFile(state); err != nil {
			return err
		}
	}
	for _, env := range d.environments {
		org := d.platform.Org(centre.Name(env))
		if org.Find("queue", "Claims Motor") == "" && org.Count("skill") == 0 {
			if org, err = centre.Seed(d.platform, env); err != nil {
				return err
			}
		}
		d.orgs[env] = org
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("%w (--listen 127.0.0.1:0 takes a free port)", err)
	}
	d.base = "http://" + l.Addr().String()
	s := &http.Server{Handler: d.platform, ReadHeaderTimeout: requestTimeout, IdleTimeout: idleTimeout}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	d.onClose(func() error {
		err := s.Close()
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return errors.Join(err, d.platform.SaveFile(state))
	})
	return nil
}

// openRepository makes the repository, with a first commit.
func (d *demo) openRepository(ctx context.Context) (err error) {
	at, config, err := d.hosting.repository(d.dir)
	if err != nil {
		return err
	}
	author := gitstore.Signature{Name: "driftback demo", Email: "demo@localhost"}
	d.url, d.config, at.Committer = at.URL, config, author
	d.store, err = gitstore.Open(ctx, at)
	if err != nil {
		return err
	}
	d.onClose(d.store.Close)
	refs, err := d.store.Sync(ctx)
	if err != nil {
		return err
	}
	if !refs["refs/heads/main"].IsZero() {
		return nil
	}
	readme := "# Configuration of " + d.company + "\n\nWhat the contact centre's organisations are configured as. Changes go through pull requests.\n"
	_, err = d.store.Commit(ctx, "refs/heads/main", gitstore.ID{}, gitstore.Edit{"README.md": []byte(readme)}, author, "First commit")
	return err
}

// writeConfig writes driftback.yaml, which changes with the platform's port, and the organisations' secrets.
func (d *demo) writeConfig() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.metrics = l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by driftback demo at each start.\nlisten: %s\n%senvironments:\n", d.metrics, d.config)
	for _, env := range d.environments {
		org, secret := d.orgs[env], d.path("secrets/"+env)
		if err := os.WriteFile(secret, []byte(org.Secret()+"\n"), 0o600); err != nil {
			return err
		}
		fmt.Fprintf(&b, "  %s:\n    vendor: genesyscloud\n    genesyscloud: {gateway: %q, clientId: %q, clientSecret: %q}\n    mode: sync\n    every: 1s\n", env, d.base, org.ClientID(), "file:"+secret)
	}
	return os.WriteFile(d.path("driftback.yaml"), []byte(b.String()), 0o600)
}

// startDaemon runs the daemon as driftback run does. Its log goes to a file.
func (d *demo) startDaemon(ctx context.Context, c *cli) error {
	log, err := os.OpenFile(d.path("driftback.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	d.onClose(log.Close)
	ctx, stop := context.WithCancel(ctx)
	daemon := &cli{stdout: log, stderr: log, redact: c.redact, configPath: d.path("driftback.yaml"), logFormat: "text", onReport: d.passes.add}
	go func() {
		defer close(d.ended)
		d.failure = daemon.runDaemon(ctx)
	}()
	d.onClose(func() error {
		stop()
		<-d.ended
		return d.failure
	})
	return nil
}

// page is the address of one of the administrator's pages.
func (d *demo) page(env string, path ...string) string {
	u := d.base + "/admin/" + url.PathEscape(centre.Name(env))
	for _, p := range path {
		u += "/" + url.PathEscape(p)
	}
	return u
}

// begin merges each organisation's first import, so that there is something to try.
func (d *demo) begin(ctx context.Context) error {
	for _, env := range d.environments {
		r, err := d.await(ctx, env, "the first pass", func(r reconciler.Report) bool { return len(r.Pulls) > 0 || r.Drifted == 0 && r.Observed > 0 })
		if err != nil {
			return err
		}
		for _, p := range r.Pulls {
			if !strings.HasPrefix(p.Title, "init: ") {
				continue
			}
			if _, err := d.hosting.merge(ctx, "Sofia Marti", p.Number); err != nil {
				return err
			}
		}
	}
	return nil
}

// patience is how long anything in the demo may take.
const patience = 60 * time.Second

// await waits for a pass of an environment, begun from now on, after which something holds.
func (d *demo) await(ctx context.Context, env, what string, holds func(reconciler.Report) bool) (reconciler.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	from := 0
	var last reconciler.Report
	for {
		reports, changed := d.passes.since(env, from)
		for _, r := range reports {
			last = r
			if holds(r) {
				return r, nil
			}
		}
		from += len(reports)
		select {
		case <-changed:
		case <-d.ended:
			return last, fmt.Errorf("%s: the daemon ended: %w", env, errors.Join(d.failure, ctx.Err()))
		case <-ctx.Done():
			return last, fmt.Errorf("%s: waited for %s: %w; the last pass said: %s", env, what, ctx.Err(), summary(last)+failureOf(last))
		}
	}
}

func failureOf(r reconciler.Report) string {
	if r.Err != nil {
		return ": " + r.Err.Error()
	}
	for _, t := range append(r.Held, r.Unknown...) {
		return "; " + troubleText(t)
	}
	return ""
}

// passes are the reports of the daemon's passes, by environment, since the demo last looked away.
type passes struct {
	mu      sync.Mutex
	reports map[string][]reconciler.Report
	changed chan struct{} // closed and replaced with each report
}

func newPasses() *passes {
	return &passes{reports: map[string][]reconciler.Report{}, changed: make(chan struct{})}
}

// keptPasses bounds what is kept of an environment.
const keptPasses = 100

func (p *passes) add(r reconciler.Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := append(p.reports[r.Environment], r)
	p.reports[r.Environment] = all[max(0, len(all)-keptPasses):]
	close(p.changed)
	p.changed = make(chan struct{})
}

// since returns the reports from a position on, and what is closed when there is another one.
func (p *passes) since(env string, from int) ([]reconciler.Report, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.reports[env]
	return all[min(from, len(all)):], p.changed
}

// forget looks away: what comes from now on is new.
func (p *passes) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.reports)
}
