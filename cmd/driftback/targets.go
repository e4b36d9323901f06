package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/driftback/driftback/metrics"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/reconciler/credential"
	"github.com/driftback/driftback/reconciler/window"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/all"
)

// openTarget opens the environment's platform.
func (w *workspace) openTarget(ctx context.Context, name string, m *metrics.Metrics) (*platform, error) {
	e, err := w.config.environment(name)
	if err != nil {
		return nil, err
	}
	open := all.Vendors()[e.Vendor] // it is there: the configuration was checked
	d, err := open(ctx, func(v any) error {
		err := e.decodeVendor(v, func(s secretSource) (string, error) { return w.secrets.resolve(ctx, s) })
		if err != nil {
			return at(w.path, w.src, err)
		}
		if r, ok := v.(interface{ Resolve(dir string) }); ok {
			r.Resolve(filepath.Dir(w.path))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("environment %s: open %s: %w", name, e.Vendor, err)
	}
	t := vendors.NewTarget(d, vendors.TargetOptions{
		ReadOnly: e.Mode == "observe",
		Secrets:  func(secret string) (string, error) { return w.secret(ctx, name, secret) },
		OnRequest: func(operation string, err error, _ time.Duration) {
			m.Request(e.Vendor, operation, verdict(err))
		},
		Logger: w.log.With("env", name),
	})
	w.onClose("environment "+name, t.Close)
	if metered, can := t.Metered(); can {
		m.RateLimit(name, metered.Remaining)
	}
	p, err := narrow(t, e.Kinds)
	if err != nil {
		return nil, fmt.Errorf("environment %s: kinds: %w", name, err)
	}
	return p, nil
}

// verdict is a request's outcome as a metric's label.
func verdict(err error) string {
	for _, c := range []struct {
		class error
		label string
	}{
		{nil, "ok"}, {vendors.ErrConflict, "conflict"}, {vendors.ErrDenied, "denied"}, {vendors.ErrReadOnly, "readonly"},
		{vendors.ErrInvalid, "invalid"}, {vendors.ErrRefused, "refused"}, {vendors.ErrUnsupported, "unsupported"},
		{context.Canceled, "canceled"}, {context.DeadlineExceeded, "timeout"},
	} {
		if errors.Is(err, c.class) {
			return c.label
		}
	}
	return "error"
}

// secret resolves {$secret: name} of an environment.
func (w *workspace) secret(ctx context.Context, env, name string) (string, error) {
	source, ok := w.config.Environments[env].Secrets[name]
	if !ok {
		source, ok = w.config.Secrets[name]
	}
	if !ok {
		return "", fmt.Errorf("secret %s: not in the configuration; add it under secrets", name)
	}
	v, err := w.secrets.resolve(ctx, source)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// fingerprints returns the keyed fingerprint of an environment's secrets: an HMAC, so that nobody who reads the repository can
// try guesses. It is nil without a key.
func (w *workspace) fingerprints(ctx context.Context, env string) (func(name string) (string, error), error) {
	if !w.config.FingerprintKey.isSet() {
		return nil, nil
	}
	key, err := w.secrets.resolve(ctx, w.config.FingerprintKey)
	if err != nil {
		return nil, fmt.Errorf("fingerprintKey: %w", err)
	}
	return func(name string) (string, error) {
		value, err := w.secret(ctx, env, name)
		if err != nil {
			return "", err
		}
		h := hmac.New(sha256.New, []byte(key))
		fmt.Fprintf(h, "%q %q %q", env, name, value)
		return hex.EncodeToString(h.Sum(nil)[:16]), nil
	}, nil
}

// A setup says how a reconciler is to be made from the workspace.
type setup struct {
	metrics  *metrics.Metrics
	onReport func(reconciler.Report)
	// settled makes a pass wait for objects that are still being written.
	settled bool
}

// reconciler opens the named environments, all where none is named, and returns a
// reconciler of those that could be opened. The others are in closed, with the reason.
func (w *workspace) reconciler(ctx context.Context, envs []string, s setup) (r *reconciler.Reconciler, closed map[string]error, err error) {
	if len(envs) == 0 {
		envs = sortedKeys(w.config.Environments)
	}
	closed = map[string]error{}
	var rs []reconciler.Environment
	for _, name := range envs {
		e, err := w.config.environment(name)
		if err != nil {
			return nil, nil, err
		}
		t, err := w.openTarget(ctx, name, s.metrics)
		if err != nil {
			closed[name] = err
			continue
		}
		one := e.reconciled(name, t, s.settled)
		if one.Fingerprint, err = w.fingerprints(ctx, name); err != nil {
			return nil, nil, err
		}
		rs = append(rs, one)
	}
	r, err = reconciler.New(reconciler.Config{
		Store:        w.store,
		Forge:        w.forge,
		Environments: rs,
		Logger:       w.log,
		OnReport:     s.onReport,
		ClaimFor:     time.Duration(w.config.Claim.For), RequestTimeout: time.Duration(w.config.Claim.Request),
		Cache:   w.parsed(),
		Redact:  w.secrets.redact.answer,
		Conceal: w.secrets.redact.conceal,
		Holds:   w.secrets.redact.holds,

		StateBranch: w.config.Repository.State == "branch", SkipCI: w.config.skipsCI(),
	})
	return r, closed, err
}

// one is reconciler for a single environment, which must open.
func (w *workspace) one(ctx context.Context, env string) (*reconciler.Reconciler, error) {
	r, closed, err := w.reconciler(ctx, []string{env}, setup{settled: true})
	if err == nil {
		err = closed[env]
	}
	return r, err
}

// reconciled is the environment as the reconciler takes it.
func (e environment) reconciled(name string, p *platform, settled bool) reconciler.Environment {
	return reconciler.Environment{
		Name:         name,
		Platform:     p,
		Mode:         reconciler.Mode(e.Mode),
		Every:        time.Duration(e.Every),
		Branch:       e.Branch,
		Path:         e.Path,
		Guard:        e.limits(),
		Windows:      e.windows(),
		OnClose:      strings.TrimPrefix(e.OnClose, "silence"),
		MergeText:    e.Merge != "ask",
		Attribution:  e.Attribution,
		Rollback:     reconciler.Rollback{Auto: e.Rollback.Auto == nil || *e.Rollback.Auto, Push: e.Rollback.Push},
		Announce:     e.Pulls.announce(),
		Allow:        e.allow(),
		AwaitSettled: settled,
	}
}

func (e environment) windows() (out window.Windows) {
	for _, c := range e.Windows {
		if w, err := window.Parse(c.Allow, time.Duration(c.For), c.TimeZone); err == nil { // checked when the file was read
			out = append(out, w)
		}
	}
	return out
}

func (e environment) allow() credential.Allow {
	var out credential.Allow
	for _, x := range e.Allow {
		out = append(out, credential.Exception(x))
	}
	return out
}
