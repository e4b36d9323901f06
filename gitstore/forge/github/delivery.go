package github

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"
)

const (
	// maxAttempts is how often a delivery is made in all before it is given up: polling has found it by then.
	maxAttempts = 3
	// maxRedelivered bounds what one sweep asks for.
	maxRedelivered = 100
	// MaxBack is how far back deliveries can be asked for again. Source: docs.github.com, "Redelivering webhooks".
	MaxBack = 3 * 24 * time.Hour
)

// Redeliver asks GitHub to deliver again what an app's webhook did not take since then, and returns how many
// deliveries that are. With a token, which may not ask for this, there is nothing to do.
func (f *Forge) Redeliver(ctx context.Context, since time.Time) (int, error) {
	if f.app == nil {
		return 0, nil
	}
	if oldest := f.opt.Now().Add(-MaxBack); since.Before(oldest) {
		since = oldest
	}
	failed, err := f.undelivered(ctx, since)
	if err != nil {
		return 0, err
	}
	for i, id := range failed {
		_, _, err := f.app.Apps.RedeliverHookDelivery(ctx, id)
		var accepted *gh.AcceptedError
		if err != nil && !errors.As(err, &accepted) && !isCode(err, http.StatusNotFound) {
			return i, f.fail(ctx, "ask for a delivery again", err)
		}
	}
	return len(failed), nil
}

// undelivered returns the newest attempts of the deliveries, by their id, of which none succeeded, newest first.
func (f *Forge) undelivered(ctx context.Context, since time.Time) ([]int64, error) {
	type delivery struct {
		newest   int64
		at       time.Time
		attempts int
		done     bool
	}
	byGUID := map[string]*delivery{}
	var order []string
	o := &gh.ListCursorOptions{PerPage: 100}
	for range maxPages {
		list, res, err := f.app.Apps.ListHookDeliveries(ctx, o)
		if isCode(err, http.StatusNotFound) { // the app has no webhook
			return nil, nil
		}
		if err != nil {
			return nil, f.fail(ctx, "list webhook deliveries", err)
		}
		old := false
		for _, d := range list {
			if old = d.GetDeliveredAt().Before(since); old {
				break
			}
			if !f.ourInstallation(d.GetInstallationID()) {
				continue
			}
			has := byGUID[d.GetGUID()]
			if has == nil {
				has = &delivery{}
				byGUID[d.GetGUID()] = has
				order = append(order, d.GetGUID())
			}
			if at := d.GetDeliveredAt().Time; has.newest == 0 || at.After(has.at) {
				has.newest, has.at = d.GetID(), at
			}
			has.attempts++
			has.done = has.done || d.GetStatusCode() >= 200 && d.GetStatusCode() < 300
		}
		if old || res.Cursor == "" {
			break
		}
		o.Cursor = res.Cursor
	}
	var failed []int64
	for _, guid := range order {
		if d := byGUID[guid]; !d.done && d.attempts < maxAttempts && len(failed) < maxRedelivered {
			failed = append(failed, d.newest)
		}
	}
	return failed, nil
}

// ourInstallation reports whether a delivery is of our installation of the app, or of none in particular.
func (f *Forge) ourInstallation(id int64) bool {
	s, ok := f.sign.(*appSignIn)
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return id == 0 || s.installation == 0 || id == s.installation
}

// Own reports whether a login is our own account's, as far as it is known yet. It asks nobody.
func (f *Forge) Own(login string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.login != "" && strings.EqualFold(f.login, login)
}
