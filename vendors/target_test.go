package vendors_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

var errBusy = errors.New("503 busy")

// clock is a time that only Sleep moves.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return ctx.Err()
}

// platform is a driver that does as its test says. It holds one object of each key.
type platform struct {
	kinds   []resource.KindInfo
	live    map[resource.Key]resource.Spec
	fail    []error // of the next calls, in turn; nil succeeds
	lose    bool    // a failing Apply is carried out all the same
	unseen  bool    // Read covers nothing
	applied []resource.Change
	reads   int
}

func (p *platform) next() (err error) {
	if len(p.fail) > 0 {
		err, p.fail = p.fail[0], p.fail[1:]
	}
	return err
}

func (p *platform) Kinds() []resource.KindInfo { return p.kinds }
func (p *platform) Close() error               { return nil }

func (p *platform) Observe(context.Context, vendors.Request) (*resource.Snapshot, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	return resource.SnapshotOf(resource.Options{Tenant: "t"}), nil
}

func (p *platform) Read(_ context.Context, keys []resource.Key) (*resource.Snapshot, error) {
	p.reads++
	if err := p.next(); err != nil {
		return nil, err
	}
	scope := resource.Scope{Kinds: map[resource.Kind]resource.Cover{}}
	var b resource.Builder
	for _, k := range keys {
		if !p.unseen {
			scope.Kinds[k.Kind] = resource.Cover{}
		}
		if s, ok := p.live[k]; ok {
			b.Add(resource.Resource{Key: k, Spec: s, Origin: &resource.Origin{ID: "1"}})
		}
	}
	s, _ := b.Snapshot(resource.Options{Scope: scope})
	return s, nil
}

func (p *platform) Apply(_ context.Context, c resource.Change) (resource.Resource, error) {
	p.applied = append(p.applied, c)
	err := p.next()
	if err != nil && !p.lose {
		return resource.Resource{}, err
	}
	if c.Before != nil {
		delete(p.live, c.Before.Key)
	}
	if c.After == nil {
		return resource.Resource{}, err
	}
	if p.live == nil {
		p.live = map[resource.Key]resource.Spec{}
	}
	p.live[c.After.Key] = c.After.Spec
	return *c.After, err
}

// plain hides every optional interface of platform; full has them all.
type full struct{ *platform }

func (f full) Activate(context.Context) error { return f.next() }
func (f full) Checks() bool                   { return true }
func (f full) Settling() time.Duration        { return time.Minute }
func (f full) Watch(ctx context.Context, _ func(...resource.Key)) error {
	return ctx.Err()
}
func (f full) Audit(context.Context, time.Time) iter.Seq2[vendors.AuditEntry, error] {
	return func(yield func(vendors.AuditEntry, error) bool) {
		if yield(vendors.AuditEntry{ID: "1"}, nil) {
			yield(vendors.AuditEntry{}, errBusy)
		}
	}
}

var a = resource.Key{Kind: "thing", Name: "a"}

func thing(n string) *resource.Resource {
	return &resource.Resource{Key: a, Spec: resource.Spec{"n": n}}
}

// options are for virtual time: every wait is what it is without jitter.
func options(c *clock) vendors.TargetOptions {
	return vendors.TargetOptions{Clock: c, Jitter: func() float64 { return 0.5 }}
}

func TestPassingFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	c, p := &clock{}, &platform{fail: []error{errBusy, errBusy, errBusy}}
	s, err := vendors.NewTarget(p, options(c)).Observe(t.Context(), vendors.Request{})
	require.NoError(t, err)
	require.Equal(t, "t", s.Tenant())
	require.Equal(t, []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}, c.slept)
	p.fail = []error{errBusy, errBusy, errBusy, errBusy, errBusy, errBusy}
	_, err = vendors.NewTarget(p, options(c)).Read(t.Context(), nil)
	require.ErrorIs(t, err, errBusy)
	require.ErrorContains(t, err, "tried 5 times")
	require.Len(t, p.fail, 1)
}

func TestTriesEndInTime(t *testing.T) {
	t.Parallel()
	c, p := &clock{}, &platform{}
	for range 1000 {
		p.fail = append(p.fail, errBusy)
	}
	o := options(c)
	o.MaxTries, o.MaxTime = 1000, 10*time.Minute
	_, err := vendors.NewTarget(p, o).Observe(t.Context(), vendors.Request{})
	require.ErrorIs(t, err, errBusy)
	require.LessOrEqual(t, c.now.Sub(time.Time{}), 10*time.Minute)
	require.Equal(t, 30*time.Second, c.slept[len(c.slept)-1], "waits do not grow for ever")
}

func TestOtherFailuresAreNot(t *testing.T) {
	t.Parallel()
	for _, class := range []error{
		vendors.ErrConflict, vendors.ErrDenied, vendors.ErrReadOnly, vendors.ErrInvalid, vendors.ErrRefused, vendors.ErrUnsupported,
	} {
		c, p := &clock{}, full{&platform{fail: []error{fmt.Errorf("x: %w", class)}}}
		a, _ := vendors.NewTarget(p, options(c)).Activator()
		require.ErrorIs(t, a.Activate(t.Context()), class)
		require.Empty(t, c.slept)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	c, p := &clock{}, &platform{fail: []error{errBusy}}
	_, err := vendors.NewTarget(p, options(c)).Observe(ended, vendors.Request{})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, p.fail, 1, "the driver was asked after the end")
}

func TestReadOnlyWritesNothing(t *testing.T) {
	t.Parallel()
	p := full{&platform{}}
	target := vendors.NewTarget(p, vendors.TargetOptions{ReadOnly: true})
	_, err := target.Apply(t.Context(), resource.Change{After: thing("1")})
	require.ErrorIs(t, err, vendors.ErrReadOnly)
	require.EqualError(t, err, "create thing/a: target is read-only")
	activator, ok := target.Activator()
	require.True(t, ok)
	require.ErrorIs(t, activator.Activate(t.Context()), vendors.ErrReadOnly)
	require.Empty(t, p.applied)
}

func TestOptionalInterfacesAreNotLost(t *testing.T) {
	t.Parallel()
	target := vendors.NewTarget(&platform{}, vendors.TargetOptions{})
	_, activates := target.Activator()
	_, audits := target.Auditor()
	_, watches := target.Watcher()
	_, settles := target.Settler()
	require.False(t, activates || audits || watches || settles)
	var asked []string
	target = vendors.NewTarget(full{&platform{}}, vendors.TargetOptions{
		OnRequest: func(operation string, err error, _ time.Duration) {
			asked = append(asked, fmt.Sprint(operation, " ", err))
		},
	})
	settler, _ := target.Settler()
	require.Equal(t, time.Minute, settler.Settling())
	activator, _ := target.Activator()
	require.True(t, activator.Checks())
	require.NoError(t, activator.Activate(t.Context()))
	auditor, _ := target.Auditor()
	var ids []string
	var failed error
	for e, err := range auditor.Audit(t.Context(), time.Time{}) {
		if err != nil {
			failed = err
			continue
		}
		ids = append(ids, e.ID)
	}
	require.Equal(t, []string{"1"}, ids)
	require.ErrorIs(t, failed, errBusy)
	for range auditor.Audit(t.Context(), time.Time{}) {
		break
	}
	require.Equal(t, []string{"activate <nil>", "audit 503 busy", "audit <nil>"}, asked)
}

func TestBudget(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Unix(0, 0)}
	o := options(c)
	o.Rate, o.Burst = 2, 3
	target := vendors.NewTarget(&platform{}, o)
	for range 9 {
		_, err := target.Read(t.Context(), nil)
		require.NoError(t, err)
	}
	require.Equal(t, 3*time.Second, c.now.Sub(time.Unix(0, 0)), "three at once, then two a second")
}

func TestWriteIsRepeatedOnlyIfItDidNotHappen(t *testing.T) {
	t.Parallel()
	rename := &resource.Resource{Key: resource.Key{Kind: "thing", Name: "b"}, Spec: thing("1").Spec}
	for name, c := range map[string]struct {
		change resource.Change
		live   *resource.Resource
	}{
		"create": {resource.Change{After: thing("1")}, nil},
		"update": {resource.Change{Before: thing("1"), After: thing("2")}, thing("1")},
		"delete": {resource.Change{Before: thing("1")}, thing("1")},
		"rename": {resource.Change{Before: thing("1"), After: rename}, thing("1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, lost := range []bool{false, true} {
				p := &platform{fail: []error{errBusy, errBusy}, lose: lost, live: map[resource.Key]resource.Spec{}}
				if c.live != nil {
					p.live[c.live.Key] = c.live.Spec
				}
				r, err := vendors.NewTarget(p, options(&clock{})).Apply(t.Context(), c.change)
				require.NoError(t, err)
				require.Equal(t, map[bool]int{false: 2, true: 1}[lost], len(p.applied), "the reading failed once, and then told")
				require.Equal(t, 2, p.reads)
				if c.change.After == nil {
					require.Equal(t, resource.Resource{}, r)
					require.Empty(t, p.live)
					continue
				}
				require.Equal(t, c.change.After.Spec, r.Spec)
				require.Equal(t, map[resource.Key]resource.Spec{r.Key: r.Spec}, p.live)
			}
		})
	}
}

func TestWriteWithUnclearOutcomeIsNotRepeated(t *testing.T) {
	t.Parallel()
	p := &platform{fail: []error{errBusy}, live: map[resource.Key]resource.Spec{a: thing("somebody's").Spec}}
	_, err := vendors.NewTarget(p, options(&clock{})).Apply(t.Context(), resource.Change{Before: thing("1"), After: thing("2")})
	require.ErrorIs(t, err, errBusy)
	require.ErrorContains(t, err, "neither")
	require.Len(t, p.applied, 1)
	p = &platform{fail: []error{errBusy}, unseen: true}
	_, err = vendors.NewTarget(p, options(&clock{})).Apply(t.Context(), resource.Change{After: thing("2")})
	require.ErrorIs(t, err, errBusy)
	require.Len(t, p.applied, 1, "the reading said nothing")
}

// A write whose answer was lost is not sent again once the claim has ended meanwhile.
func TestNothingIsBegunAfterTheLease(t *testing.T) {
	t.Parallel()
	c, p := &clock{}, full{&platform{fail: []error{errBusy}}}
	ctx := vendors.WithLease(t.Context(), func() bool { return c.Now().Before(time.Time{}.Add(200 * time.Millisecond)) })
	target := vendors.NewTarget(p, options(c))
	_, err := target.Apply(ctx, resource.Change{After: thing("1")})
	require.ErrorIs(t, err, vendors.ErrLease)
	require.Len(t, p.applied, 1)
	require.Empty(t, p.live)

	activator, _ := target.Activator()
	p.fail = []error{errBusy}
	require.ErrorIs(t, activator.Activate(ctx), vendors.ErrLease)
	require.Len(t, p.fail, 1, "the platform was not asked")
	_, err = target.Read(ctx, nil)
	require.NoError(t, err, "reading needs no lease")
}

func TestStaleReadingsAreWaitedOut(t *testing.T) {
	t.Parallel()
	c := &clock{}
	p := &platform{kinds: []resource.KindInfo{{Kind: "thing", Settle: 20 * time.Second}}, fail: []error{errBusy}, lose: true}
	_, err := vendors.NewTarget(p, options(c)).Apply(t.Context(), resource.Change{After: thing("1")})
	require.NoError(t, err)
	require.Contains(t, c.slept, 20*time.Second)
	require.Len(t, p.applied, 1)
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	const value = `p&ss "w0rd"/1`
	kinds := []resource.KindInfo{{Kind: "thing", Fields: []resource.Field{{Path: "password", Secret: true}}}}
	after := &resource.Resource{Key: a, Spec: resource.Spec{
		"url": "u", "password": resource.Secret{Name: "S"}, "list": []any{map[string]any{"token": resource.Secret{Name: "S"}}},
	}}
	p := &platform{kinds: kinds}
	asked := 0
	o := options(&clock{})
	o.Secrets = func(name string) (string, error) {
		asked++
		if name != "S" {
			return "", errors.New("no such variable")
		}
		return value, nil
	}
	target := vendors.NewTarget(p, o)
	got, err := target.Apply(t.Context(), resource.Change{After: after})
	require.NoError(t, err)
	require.Equal(t, value, p.applied[0].After.Spec["password"])
	require.Equal(t, resource.Secret{Name: "S"}, after.Spec["password"], "the caller's spec was changed")
	require.Equal(t, after.Spec, got.Spec, "what comes back names the secret")
	require.Equal(t, 1, asked, "once a write")

	// A lost answer: the platform does not tell secrets, and that is no difference.
	p = &platform{kinds: kinds, fail: []error{errBusy}, live: map[resource.Key]resource.Spec{a: {"url": "u"}}}
	o.MaxTries = 2
	plain := &resource.Resource{Key: a, Spec: resource.Spec{"url": "u", "password": resource.Secret{Name: "S"}}}
	_, err = vendors.NewTarget(p, o).Apply(t.Context(), resource.Change{Before: &resource.Resource{Key: a, Spec: resource.Spec{"url": "u"}}, After: plain})
	require.NoError(t, err)
	require.Len(t, p.applied, 2, "nobody can tell whether the secret was written: it is written again")

	for _, bad := range []error{
		fmt.Errorf("PUT: %s: %w", value, vendors.ErrInvalid),
		fmt.Errorf(`{"password":"p&ss \"w0rd\"/1"}: %w`, vendors.ErrInvalid),
		fmt.Errorf("GET /?q=p%%26ss+%%22w0rd%%22%%2F1: %w", vendors.ErrInvalid),
		fmt.Errorf("Basic %s: %w", base64.StdEncoding.EncodeToString([]byte(value)), vendors.ErrInvalid),
	} {
		var heard error
		o.OnRequest = func(_ string, err error, _ time.Duration) { heard = err }
		p = &platform{kinds: kinds, fail: []error{bad}}
		_, err = vendors.NewTarget(p, o).Apply(t.Context(), resource.Change{After: after})
		for _, err := range []error{err, heard} {
			require.ErrorIs(t, err, vendors.ErrInvalid)
			require.Contains(t, err.Error(), "[secret S]")
			require.NotContains(t, err.Error(), "w0rd")
			for ; err != nil; err = errors.Unwrap(err) {
				require.NotContains(t, err.Error(), "p&ss")
			}
		}
	}

	p = &platform{kinds: kinds}
	o.Secrets = func(string) (string, error) { return "", errors.New("no such variable") }
	_, err = vendors.NewTarget(p, o).Apply(t.Context(), resource.Change{After: after})
	require.EqualError(t, err, "create thing/a: secret S: no such variable")
	o.Secrets = nil
	_, err = vendors.NewTarget(p, o).Apply(t.Context(), resource.Change{After: after})
	require.ErrorContains(t, err, "no secrets are configured")
	require.Empty(t, p.applied)
}
