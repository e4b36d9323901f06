package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/driftback/driftback/gitstore/forge/github"
	"github.com/driftback/driftback/reconciler"
)

// webhookPath is where GitHub delivers to.
const webhookPath = "/webhooks/github"

// A mailbox is what the listener serves at webhookPath: the hook of the configuration in use, which changes.
type mailbox struct{ hook atomic.Pointer[github.Hook] }

func (m *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := m.hook.Load()
	if h == nil {
		http.NotFound(w, r)
		return
	}
	h.ServeHTTP(w, r)
}

// openHook makes the hook that wakes environments; nil where the forge is not GitHub.
func (w *workspace) openHook(ctx context.Context, r *reconciler.Reconciler) (*github.Hook, error) {
	if w.github == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	at, _ := w.config.slug()
	o := github.HookOptions{
		Owner: at.owner, Repo: at.name, Own: w.github.Own, OnDelivery: w.metrics.Webhook, Logger: w.log,
		Wake: func(e github.Event) {
			if e.Head != "" {
				w.github.Again(e.Head)
			}
			for _, env := range w.config.concerned(e) {
				if e.Head != "" {
					r.Again(env, e.Head)
					continue
				}
				r.Poke(env)
			}
		},
	}
	for _, s := range w.config.Forge.GitHub.WebhookSecret {
		secret, err := w.secrets.resolve(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("forge.github.webhookSecret: %w", err)
		}
		o.Secrets = append(o.Secrets, secret)
	}
	return github.NewHook(o), nil
}

// concerned returns the environments that are to look because of an event: those that track the branch, and where
// one of driftback's own branches moved the one that it is of. What tells of no branch concerns all.
func (c *config) concerned(e github.Event) []string {
	branch := e.Base
	if e.Branch != "" {
		branch = e.Branch
	}
	var envs []string
	for _, name := range sortedKeys(c.Environments) {
		if branch == "" || c.Environments[name].Branch == branch || isOwnBranch(branch, name) {
			envs = append(envs, name)
		}
	}
	return envs
}

// isOwnBranch reports whether driftback keeps a branch for an environment.
func isOwnBranch(branch, env string) bool {
	for _, prefix := range []string{"live/", "driftback/drift/", "driftback/revert/", "driftback/state/"} {
		rest, ok := strings.CutPrefix(branch, prefix+env)
		if ok && (rest == "" || rest[0] == '-' || rest[0] == '/') {
			return true
		}
	}
	return false
}
