package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/driftback/driftback/metrics"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
)

// A daemon is `driftback run`: a listener and, one after the other, the
// generations of what the configuration file says.
type daemon struct {
	cli     *cli
	log     *slog.Logger
	metrics *metrics.Metrics
	ready   *readiness
	watch   *configWatch
	mail    mailbox

	mu     sync.Mutex
	passed map[string]bool // environments that had a good pass in any generation
}

// runDaemon runs until ctx ends. What was opened is closed in reverse.
func (c *cli) runDaemon(ctx context.Context) error {
	w, err := c.load(useDaemon)
	if err != nil {
		return err
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	d := &daemon{cli: c, log: w.log, metrics: metrics.New(reg), ready: &readiness{}, passed: map[string]bool{}}
	b := thisBuild()
	d.metrics.Build(b.Version, b.Revision, b.Go)
	d.expect(w.config)

	mux := http.NewServeMux()
	mux.Handle("/", handler(reg, d.ready))
	mux.Handle(webhookPath, &d.mail)
	addr, stop, err := serve(w.config.Listen, mux, w.log)
	if err != nil {
		return err
	}
	defer stop()
	if d.watch, err = watchConfig(w.path, w.src); err != nil {
		return err
	}
	defer d.watch.close()
	w.log.Info("started", "version", b.Version, "config", w.path, "listen", fmt.Sprint(addr), "environments", sortedKeys(w.config.Environments))
	if err := d.generations(ctx, w); err != nil {
		return err
	}
	d.log.Info("stopped")
	return nil
}

// openAgain is how long a configuration that was good and cannot be opened now is left alone.
const openAgain = 5 * time.Second

// generations keeps one configuration after the other until ctx ends. The first one must open;
// a later one that does not is tried again, because somebody relies on the daemon by then.
func (d *daemon) generations(ctx context.Context, w *workspace) error {
	for first := true; w != nil; {
		next, err := d.generation(ctx, w)
		switch {
		case err == nil:
			w, first = next, false
		case first:
			return err
		default:
			d.log.Error("the environments cannot be opened; trying again", "err", err)
			if (vendors.SystemClock{}).Sleep(ctx, openAgain) != nil {
				return nil
			}
		}
	}
	return nil
}

// expect makes the readiness wait for the configuration's environments.
func (d *daemon) expect(c *config) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ready.expect(sortedKeys(c.Environments), func(env string) bool { return d.passed[env] })
}

// generation keeps one configuration's environments until ctx ends, which
// returns nil, or until another configuration is to be kept, which is returned.
func (d *daemon) generation(ctx context.Context, w *workspace) (next *workspace, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() {
		if err := w.close(); err != nil {
			d.log.Warn("closing", "err", err)
		}
	}()
	w.metrics = d.metrics
	if err := w.openStore(ctx, useDaemon); err != nil {
		return nil, err
	}
	r, closed, err := w.reconciler(ctx, nil, setup{metrics: d.metrics, onReport: d.report})
	if err != nil {
		return nil, err
	}
	for _, env := range sortedKeys(closed) {
		d.log.Error("environment cannot be opened; the others go on", "env", env, "err", closed[env])
		d.metrics.Reconciled(env, "error", time.Now())
		d.ready.passed(env, d.cli.redact.text(closed[env].Error()))
	}
	hook, err := w.openHook(ctx, r)
	if err != nil {
		return nil, err
	}
	d.mail.hook.Store(hook)
	d.metrics.Reloaded(true, time.Now())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	var sweeping sync.WaitGroup
	if hook != nil {
		sweeping.Go(func() { w.redeliver(ctx, vendors.SystemClock{}.Sleep) })
	}
	next = d.await(ctx, w, sortedKeys(closed))
	cancel()
	sweeping.Wait()
	if err := <-ended; err != nil {
		d.log.Warn("the claims were not given up; they end by themselves", "err", err)
	}
	if next != nil {
		for env := range w.config.Environments { // no pass can tell of them any more
			if _, kept := next.config.Environments[env]; !kept {
				d.metrics.Forget(env)
			}
		}
	}
	return next, nil
}

// await returns the configuration that is to replace w, or nil after ctx ended. A
// broken file keeps w in use and says so. w itself is returned once one of the closed
// environments can be opened.
func (d *daemon) await(ctx context.Context, w *workspace, closed []string) *workspace {
	for {
		conf, err := d.next(ctx, len(closed) > 0)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, context.DeadlineExceeded) {
			if again := w.renewed(w.config, w.src); again.opensOneOf(ctx, closed) {
				return again
			}
			continue
		}
		next := w.renewed(conf, d.watch.last)
		if err == nil {
			err = next.tryOpen(ctx, closed)
		}
		if err != nil {
			d.metrics.Reloaded(false, time.Now())
			d.log.Error("configuration not taken over; the one before stays in use", "err", err)
			continue
		}
		if next.config.Listen != w.config.Listen {
			d.log.Warn("listen changed: it takes effect at the next start", "listen", next.config.Listen)
		}
		d.expect(next.config)
		d.log.Info("configuration taken over", "config", w.path, "environments", sortedKeys(next.config.Environments),
			"repository", !reflect.DeepEqual(next.config.Repository, w.config.Repository))
		return next
	}
}

// next waits for another configuration; where some environments are closed, for a while only.
func (d *daemon) next(ctx context.Context, some bool) (*config, error) {
	if some {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, openAgain)
		defer cancel()
	}
	return d.watch.next(ctx, d.log)
}

// renewed is a workspace with nothing opened yet.
func (w *workspace) renewed(c *config, src []byte) *workspace {
	return &workspace{path: w.path, src: src, config: c, log: w.log, secrets: w.secrets}
}

// opensOneOf reports whether one of the environments can be opened, and closes it again.
func (w *workspace) opensOneOf(ctx context.Context, envs []string) bool {
	for _, env := range envs {
		if _, err := w.openTarget(ctx, env, nil); err == nil {
			return w.close() == nil
		}
	}
	return false
}

// tryOpen opens every environment and closes it again, to know that it can be done. Those that are
// away already do not stand in the way of what changes elsewhere.
func (w *workspace) tryOpen(ctx context.Context, away []string) error {
	var errs []error
	for _, name := range sortedKeys(w.config.Environments) {
		if slices.Contains(away, name) {
			continue
		}
		if _, err := w.openTarget(ctx, name, nil); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, w.close())...)
}

// report is called after each pass.
func (d *daemon) report(r reconciler.Report) {
	observeReport(d.metrics, r)
	if d.cli.onReport != nil {
		d.cli.onReport(r)
	}
	logReport(d.log, r)
	failure := ""
	if r.Err != nil && r.Halt == nil && !r.StandBack {
		failure = d.cli.redact.text(r.Err.Error())
	}
	d.ready.passed(r.Environment, failure)
	if failure == "" {
		d.mu.Lock()
		d.passed[r.Environment] = true
		d.mu.Unlock()
	}
}
