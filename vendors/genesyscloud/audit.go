package genesyscloud

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

// The audit as the platform has it (AuditApi of its client): the realtime query reaches back 14 days and answers at once, for certain
// services; the other one is a job for one service, and reaches further.
const (
	realtimePath  = "/api/v2/audits/query/realtime"
	auditPath     = "/api/v2/audits/query"
	realtimeReach = 14*24*time.Hour - time.Hour
	// auditReach is how far back is asked at most: the longest interval that a query takes.
	auditReach = 30*24*time.Hour - time.Hour
	// lag is how late a record may come. Each question goes back as much further than the last one reached.
	lag = 10 * time.Minute
	// maxPages bounds how much is read of one query; more than that is no minute's work, and everything is read instead.
	maxPages  = 20
	auditPage = 100
)

// errTooMuch says that there are more records than it is worth to read.
var errTooMuch = errors.New("more records than are read at once")

// A record is what the platform recorded. Only what is used is read.
type record struct {
	ID          string   `json:"id"`
	User        entity   `json:"user"`
	Client      entity   `json:"client"`
	Service     string   `json:"serviceName"`
	EventDate   string   `json:"eventDate"`
	Action      string   `json:"action"`
	Entity      entity   `json:"entity"`
	EntityType  string   `json:"entityType"`
	Status      string   `json:"status"`
	Application string   `json:"application"`
	Changes     []change `json:"propertyChanges"`
}

type entity struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type change struct {
	Property string   `json:"property"`
	Old      []string `json:"oldValues"`
	New      []string `json:"newValues"`
}

func (r record) when() time.Time {
	t, err := time.Parse(time.RFC3339Nano, r.EventDate)
	if err != nil {
		return time.Time{}
	}
	return t
}

// done reports whether what is recorded happened.
func (r record) done() bool { return r.Status == "" || strings.EqualFold(r.Status, "SUCCESS") }

// A feed asks the audit of one organisation. It may be used concurrently.
type feed struct {
	clientID string // of our own client
	clock    vendors.Clock
	poll     time.Duration
	managed  func() []resource.Kind
	apart    map[resource.Kind]bool // kinds of whose objects something is read apart

	mu    sync.Mutex
	cover coverage // of the realtime query; nil before it was asked for
	asked time.Time
	// handled are records that a reading took notice of, by id, with their time; told are those of the reading that is under way,
	// which counts when the next one begins where it ended.
	handled map[string]time.Time
	told    []record
	// open are records whose objects are read once more, by id, with the time from when that is worth it.
	open  map[string]reopened
	until time.Time
}

// interval writes one as the platform does.
func interval(from, to time.Time) string {
	const layout = "2006-01-02T15:04:05.000Z"
	return from.UTC().Format(layout) + "/" + to.UTC().Format(layout)
}

func query(from, to time.Time) rest.Object {
	return rest.Object{
		"interval": interval(from, to),
		"sort":     []any{rest.Object{"name": "Timestamp", "sortOrder": "ascending"}},
	}
}

// realtime returns the records between two moments, oldest first.
func (f *feed) realtime(ctx context.Context, c *rest.Client, from, to time.Time) ([]record, error) {
	var out []record
	for n := 1; n <= maxPages; n++ {
		q := query(from, to)
		q["pageNumber"], q["pageSize"] = n, auditPage
		a, err := c.Do(ctx, rest.Request{Operation: "audit", Method: http.MethodPost, Path: realtimePath, Query: url.Values{"expand": {"user"}}, Body: q, Repeat: true})
		if err != nil {
			return nil, err
		}
		var page struct {
			Entities  []record `json:"entities"`
			PageCount int      `json:"pageCount"`
		}
		if err := a.JSON(&page); err != nil {
			return nil, err
		}
		out = append(out, page.Entities...)
		if n >= page.PageCount || len(page.Entities) == 0 {
			return sorted(out), nil
		}
	}
	return nil, errTooMuch
}

// sorted returns the records in the order of their times, each once.
func sorted(rs []record) []record {
	seen := map[string]bool{}
	rs = slices.DeleteFunc(rs, func(r record) bool {
		again := seen[r.ID]
		seen[r.ID] = true
		return again || r.ID == ""
	})
	slices.SortStableFunc(rs, func(a, b record) int { return a.when().Compare(b.when()) })
	return rs
}

// later returns the records of one service by a job.
func (f *feed) later(ctx context.Context, c *rest.Client, service string, from, to time.Time) ([]record, error) {
	q := query(from, to)
	q["serviceName"] = service
	job, err := again(ctx, c, http.MethodPost, auditPath, q) // a query that is begun twice is answered twice
	if err != nil {
		return nil, err
	}
	at, begun := one(auditPath, text(job, "id")), f.clock.Now()
	for state := text(job, "state"); !strings.EqualFold(state, "Succeeded"); state = text(job, "state") {
		if strings.EqualFold(state, "Failed") || strings.EqualFold(state, "Cancelled") {
			return nil, fmt.Errorf("query of %s: %s", service, strings.ToLower(state))
		}
		if f.clock.Now().Sub(begun) > 5*time.Minute {
			return nil, fmt.Errorf("query of %s: not done after 5 minutes", service)
		}
		if err := f.clock.Sleep(ctx, f.poll); err != nil {
			return nil, err
		}
		if job, err = get(ctx, c, at, nil); err != nil {
			return nil, err
		}
	}
	var out []record
	values := url.Values{"pageSize": {fmt.Sprint(auditPage)}, "expand": {"user"}}
	for range maxPages {
		a, err := c.Do(ctx, rest.Request{Operation: "audit", Path: at + "/results", Query: values})
		if err != nil {
			return nil, err
		}
		var page struct {
			Entities []record `json:"entities"`
			Cursor   string   `json:"cursor"`
		}
		if err := a.JSON(&page); err != nil {
			return nil, err
		}
		out = append(out, page.Entities...)
		if page.Cursor == "" {
			return out, nil
		}
		values.Set("cursor", page.Cursor)
	}
	return nil, errTooMuch
}

// records returns everything since a moment, oldest first: by the realtime query as far as it reaches, else by jobs.
func (f *feed) records(ctx context.Context, c *rest.Client, since time.Time) ([]record, error) {
	now := f.clock.Now()
	if since.Before(now.Add(-auditReach)) {
		since = now.Add(-auditReach)
	}
	near := since
	if edge := now.Add(-realtimeReach); near.Before(edge) {
		near = edge
	}
	// A record of this very moment belongs to it.
	end := now.Add(time.Second)
	out, err := f.realtime(ctx, c, near, end)
	if err != nil {
		if ctx.Err() != nil || !errors.Is(err, vendors.ErrInvalid) && !errors.Is(err, vendors.ErrUnsupported) && !errors.Is(err, rest.ErrMissing) {
			return nil, err
		}
		near = end // this query is not to be had here
	}
	if since.Before(near) {
		old, err := f.jobs(ctx, c, since, near)
		if err != nil {
			return nil, err
		}
		out = append(old, out...)
	}
	return sorted(out), nil
}

func (f *feed) jobs(ctx context.Context, c *rest.Client, from, to time.Time) ([]record, error) {
	cover, err := mapping(ctx, c, auditPath)
	if err != nil {
		return nil, err
	}
	var out []record
	for _, s := range cover.services() {
		rs, err := f.later(ctx, c, s, from, to)
		if err != nil {
			return nil, err
		}
		out = append(out, rs...)
	}
	return out, nil
}

// mapping asks which services and entities a query answers for.
func mapping(ctx context.Context, c *rest.Client, path string) (coverage, error) {
	got, err := get(ctx, c, path+"/servicemapping", nil)
	if err != nil {
		return nil, err
	}
	out := coverage{}
	for _, s := range list(got, "services") {
		entities := map[string]bool{}
		for _, e := range list(s, "entities") {
			entities[letters(text(e, "name"))] = true
		}
		out[text(s, "name")] = entities
	}
	return out, nil
}

// entries tells who changed what since a moment, oldest first. What our own client did is left out.
func (f *feed) entries(ctx context.Context, c *rest.Client, ids rest.IDs, since time.Time) iter.Seq2[vendors.AuditEntry, error] {
	return func(yield func(vendors.AuditEntry, error) bool) {
		rs, err := f.records(ctx, c, since)
		if err != nil {
			yield(vendors.AuditEntry{}, fmt.Errorf("audit: %w", err))
			return
		}
		for _, r := range rs {
			if !r.done() || r.when().Before(since) || f.ours(r) {
				continue
			}
			if e, ok := f.entry(ids, r); ok && !yield(e, nil) {
				return
			}
		}
	}
}

// ours reports whether our own client did it, and no person.
func (f *feed) ours(r record) bool { return r.User.ID == "" && r.Client.ID == f.clientID }

// entry turns a record into what the loop knows. The address is the user's by the index of users.
func (f *feed) entry(ids rest.IDs, r record) (vendors.AuditEntry, bool) {
	a, ok := kindOf(r.EntityType)
	if !ok {
		return vendors.AuditEntry{}, false
	}
	key, known := ids.Key(a.kind, r.Entity.ID)
	if a.single {
		key, known = resource.Key{Kind: a.kind, Name: singletonName}, true
	}
	if !known {
		if r.Entity.Name == "" {
			return vendors.AuditEntry{}, false
		}
		key = resource.Key{Kind: a.kind, Name: r.Entity.Name}
	}
	e := vendors.AuditEntry{Key: key, ID: r.ID, Who: r.User.Name, When: r.when(), Application: r.Application}
	if u, ok := ids.Key(user, r.User.ID); ok && r.User.ID != "" {
		e.Email = u.Name
	}
	if e.Who == "" {
		e.Who = e.Email
	}
	if e.Who == "" && r.User.ID == "" && r.Client.ID != "" {
		e.Who = "client " + r.Client.ID
	}
	for _, ch := range r.Changes {
		e.Changed = append(e.Changed, ch.Property)
	}
	return e, true
}
