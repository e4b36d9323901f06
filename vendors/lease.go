package vendors

import (
	"context"
	"errors"
)

// ErrLease says that the caller's claim on the platform no longer leaves time for the write. Nothing was sent.
var ErrLease = errors.New("the claim on the environment does not leave time for another write")

type leaseKey struct{}

// WithLease returns a context under which nothing that writes is begun once held returns false. It is
// asked before every single request, also before each one that is made again, because between the decision to
// write and the request minutes may have passed: retries, a rate budget, a machine that slept.
func WithLease(ctx context.Context, held func() bool) context.Context {
	return context.WithValue(ctx, leaseKey{}, held)
}

// Leased returns ErrLease where the context's lease has ended. Drivers that make several requests for one change ask
// before each of them. Without a lease there is none to end.
func Leased(ctx context.Context) error {
	if held, ok := ctx.Value(leaseKey{}).(func() bool); ok && !held() {
		return ErrLease
	}
	return nil
}
