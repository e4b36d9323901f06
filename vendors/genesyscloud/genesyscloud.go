package genesyscloud

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

// Driver talks to one organisation.
type Driver struct {
	*rest.Driver
	c    Config
	feed *feed
	seen *seen
	o    Options
}

// Options are for tests and for what watches the driver at work. The zero value is what Open takes.
type Options struct {
	// Kinds are managed; nil means all that the configuration does not leave out.
	Kinds     []resource.Kind
	Transport http.RoundTripper // nil means one of the engine's own
	Clock     vendors.Clock     // nil means the system's
	Jitter    func() float64    // uniform in [0, 1); nil means math/rand
	Logger    *slog.Logger      // nil means silence
	// Poll is how long to wait between two looks at a job of the platform; 0 means 2 s.
	Poll time.Duration
	// Resubscribe is how often a watch asks for what is new; 0 means 5 minutes.
	Resubscribe time.Duration
	// OnRequest is that of the engine.
	OnRequest func(operation string, status int, took time.Duration)
}

var (
	_ vendors.Driver  = (*Driver)(nil)
	_ vendors.Auditor = (*Driver)(nil)
	_ vendors.Watcher = (*Driver)(nil)
	_ vendors.Doctor  = (*Driver)(nil)

	_ vendors.Narrower = (*Driver)(nil)
)

// Open opens the organisation that the configuration names. Nothing is sent yet.
func Open(_ context.Context, decode func(any) error) (vendors.Driver, error) {
	var c Config
	if err := decode(&c); err != nil {
		return nil, err
	}
	return New(c, Options{})
}

// New is Open for a configuration that is there already.
func New(c Config, o Options) (*Driver, error) {
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("genesyscloud: %w", err)
	}
	api, login, err := c.addresses()
	if err != nil {
		return nil, fmt.Errorf("genesyscloud: %w", err)
	}
	if o.Clock == nil {
		o.Clock = vendors.SystemClock{}
	}
	if o.Poll == 0 {
		o.Poll = 2 * time.Second
	}
	if o.Resubscribe == 0 {
		o.Resubscribe = 5 * time.Minute
	}
	d := &Driver{c: c, o: o, seen: newSeen()}
	d.feed = &feed{clientID: c.ClientID, clock: o.Clock, poll: o.Poll, managed: d.managed}
	p := platform(hooks{
		transfer: &http.Client{Transport: o.Transport, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		clock:    o.Clock, mayTransfer: safe, poll: o.Poll, timeout: 10 * time.Minute,
	})
	d.feed.apart = apart(p.Kinds)
	full := time.Duration(*c.Full)
	if full > 0 {
		p.Hooks.Changes = d.feed.changes
	}
	d.Driver, err = rest.New(p, rest.Options{
		BaseURL: api,
		Auth:    rest.Auth{TokenURL: login, ClientID: c.ClientID, ClientSecret: c.ClientSecret},
		Kinds:   o.Kinds, OptIn: c.Include,
		PerMinute: c.RequestsPerMinute, FullEvery: full, PartsEvery: time.Duration(*c.Parts),
		Transport: o.Transport, Clock: o.Clock, Jitter: o.Jitter, Logger: o.Logger, OnRequest: o.OnRequest,
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Describe returns what Kinds would, and asks nobody.
func Describe(decode func(any) error) ([]resource.KindInfo, error) {
	var c Config
	if err := decode(&c); err != nil {
		return nil, err
	}
	// Who only describes has no secrets.
	c.ClientID, c.ClientSecret = cmp.Or(c.ClientID, "-"), cmp.Or(c.ClientSecret, "-")
	d, err := New(c, Options{})
	if err != nil {
		return nil, err
	}
	return d.Kinds(), nil
}

// Narrow implements vendors.Narrower. A driver that is asked for some kinds only could not rely on the audit, which it reads for all of them.
func (d *Driver) Narrow(kinds []resource.Kind) error {
	o := d.o
	o.Kinds = kinds
	narrow, err := New(d.c, o)
	if err != nil {
		return err
	}
	err = d.Close()
	*d = *narrow
	return err
}

// managed are the kinds that are more than looked up.
func (d *Driver) managed() []resource.Kind {
	var out []resource.Kind
	for _, k := range d.Kinds() {
		if !k.ReferenceOnly {
			out = append(out, k.Kind)
		}
	}
	return out
}

// Observe lists, as the engine does.
func (d *Driver) Observe(ctx context.Context, r vendors.Request) (*resource.Snapshot, error) {
	s, err := d.Driver.Observe(ctx, r)
	d.seen.note(s)
	return s, err
}

// Audit yields who changed what since t, oldest first, without what our own client did.
func (d *Driver) Audit(ctx context.Context, t time.Time) iter.Seq2[vendors.AuditEntry, error] {
	return d.feed.entries(ctx, d.Client(), d, t)
}
