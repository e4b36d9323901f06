package gitstore

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// An activity ends its context when nothing happened for a while: a large transfer may take long, but not stand still.
type activity struct {
	limit time.Duration
	end   context.CancelCauseFunc
	timer *time.Timer
	cause error

	mu     sync.Mutex
	bodies []io.Closer
}

type activityKey struct{}

// begin starts an activity. The caller calls close, whatever happened.
func begin(ctx context.Context, limit time.Duration) (context.Context, *activity) {
	a := &activity{limit: limit, cause: fmt.Errorf("no progress for %v: %w", limit, context.DeadlineExceeded)}
	ctx, a.end = context.WithCancelCause(ctx)
	a.timer = time.AfterFunc(limit, func() { a.end(a.cause) })
	return context.WithValue(ctx, activityKey{}, a), a
}

// activityOf returns the activity of a context; nil, whose methods do nothing, if there is none.
func activityOf(ctx context.Context) *activity {
	a, _ := ctx.Value(activityKey{}).(*activity)
	return a
}

// touch says that something happens.
func (a *activity) touch() {
	if a != nil {
		a.timer.Reset(a.limit)
	}
}

// explain says why a call that got the context failed.
func (a *activity) explain(ctx context.Context, err error) error {
	if err != nil && context.Cause(ctx) == a.cause { //nolint:errorlint // this very one
		return a.cause
	}
	return err
}

func (a *activity) close() {
	a.timer.Stop()
	a.end(context.Canceled)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range a.bodies {
		_ = b.Close() // of answers: everything of interest was read
	}
}

// reader reports what is read from r.
func (a *activity) reader(r io.Reader) io.Reader {
	if a == nil {
		return r
	}
	return busyReader{r, a}
}

type busyReader struct {
	io.Reader
	a *activity
}

func (r busyReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if n > 0 {
		r.a.touch()
	}
	return n, err
}

// A busyTransport is an http transport that reports to the request's activity, and leaves it the bodies of answers to close:
// go-git does not always close them, and open ones hold their connections.
type busyTransport struct{ http.RoundTripper }

func (t busyTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	a := activityOf(req.Context())
	if a == nil {
		return t.RoundTripper.RoundTrip(req)
	}
	if req.Body != nil {
		req = req.Clone(req.Context())
		req.Body = struct {
			io.Reader
			io.Closer
		}{a.reader(req.Body), req.Body}
	}
	res, err := t.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	a.touch()
	a.mu.Lock()
	a.bodies = append(a.bodies, res.Body)
	a.mu.Unlock()
	res.Body = struct {
		io.Reader
		io.Closer
	}{a.reader(res.Body), res.Body}
	return res, nil
}
