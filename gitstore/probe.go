package gitstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Probe finds out whether the remote would take a push to this ref, and leaves no trace: it asks for the ref to be
// made and, in the same atomic push, for a second one to move from where it is not, so that nothing moves whatever the
// rules say. Hooks and rules of the server see the first. base is a commit that the remote has, on which a new
// one is offered. nil: it would be taken. ErrRefused, with what the server says, and ErrAuth: it would not. ErrUntried: the
// server does not push atomically, or the repository is a folder of this machine.
func (s *Store) Probe(ctx context.Context, ref string, base ID) error {
	release, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	n, ok := s.remote.(*network)
	if !ok || !s.Atomic() {
		return ErrUntried
	}
	c, err := s.Write(base, []ID{base}, nil, Signature{}, "Would this be taken? Nothing of it is kept.")
	if err != nil {
		return fmt.Errorf("probe %s: %w", ref, err)
	}
	ups := []Update{{Ref: ref, New: c.ID}, {Ref: ref + "-not", Old: base, New: c.ID}}
	out, err := s.outgoing(ups)
	if err != nil {
		return fmt.Errorf("probe %s: %w", ref, err)
	}
	timed, busy := begin(ctx, s.opt.Timeout)
	defer busy.close()
	if err := n.probe(timed, ups, out); err != nil {
		return fmt.Errorf("probe %s: %w", ref, busy.explain(timed, err))
	}
	return nil
}

// ErrUntried says that there is no way to find out without leaving a trace.
var ErrUntried = errors.New("cannot be tried without leaving a trace")

// probe pushes what cannot be taken as a whole, and returns why its first part would not be.
func (n *network) probe(ctx context.Context, ups []Update, out *Outgoing) error {
	report, said, err := n.send(ctx, ups, out)
	if err != nil {
		return err
	}
	if report.UnpackStatus != "ok" {
		return fmt.Errorf("%s%s: %w", oneLine(report.UnpackStatus), quoted(said), ErrRefused)
	}
	moved := true
	for _, c := range report.CommandStatuses {
		moved = moved && c.Status == "ok"
		if c.ReferenceName.String() != ups[0].Ref || c.Status == "ok" || isWhole(c.Status) {
			continue
		}
		return fmt.Errorf("%s%s: %w", oneLine(c.Status), quoted(said), ErrRefused)
	}
	if moved { // which no server that says atomic does
		return fmt.Errorf("the server moved the refs although it should not have: delete %s and %s", ups[0].Ref, ups[1].Ref)
	}
	return nil
}

// isWhole reports whether a status says that the push as a whole failed, and not that a rule forbids it.
func isWhole(status string) bool {
	status = strings.ToLower(status)
	for _, w := range []string{"atomic", "failed to update ref", "cannot lock", "unable to resolve", "stale", "transaction", "fetch first", "already exists"} {
		if strings.Contains(status, w) {
			return true
		}
	}
	return false
}
