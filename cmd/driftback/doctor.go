package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

func (c *cli) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check that everything is reachable and permitted",
		Long: `Check the configuration, the repository, its tracked branches, the secrets, the forge and every platform, by
reading only. Pushes to the branches and refs that driftback writes are tried in a way that leaves no trace, and the rule that
would refuse one is told. What a platform cannot guarantee is told too. The exit code is 1 if something does not work.`,
		Example: "  driftback doctor\n  driftback doctor -o json",
		GroupID: "look",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.doctor(cmd.Context()) },
	}
}

// A finding is one thing that doctor looked at.
type finding struct {
	Subject string `json:"subject"`
	State   string `json:"state"` // ok, note or fail
	Detail  string `json:"detail"`
}

// An examination collects findings.
type examination struct{ findings []finding }

func (x *examination) ok(subject, format string, args ...any) {
	x.findings = append(x.findings, finding{subject, "ok", fmt.Sprintf(format, args...)})
}

func (x *examination) note(subject, format string, args ...any) {
	x.findings = append(x.findings, finding{subject, "note", fmt.Sprintf(format, args...)})
}

func (x *examination) fail(subject string, err error) {
	x.findings = append(x.findings, finding{subject, "fail", err.Error()})
}

func (x *examination) failed() bool {
	for _, f := range x.findings {
		if f.State == "fail" {
			return true
		}
	}
	return false
}

func (c *cli) doctor(ctx context.Context) (err error) {
	w, err := c.load(useCommand)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	x := &examination{}
	x.ok("configuration", "%s", w.path)
	w.examineSecrets(ctx, x)
	w.examineRepository(ctx, x)
	if w.github != nil {
		w.examineGitHub(ctx, x)
	}
	for _, name := range sortedKeys(w.config.Environments) {
		w.examineEnvironment(ctx, name, x)
	}
	if err := c.print(result{
		value: map[string]any{"findings": x.findings},
		text: func(out io.Writer) {
			for _, f := range x.findings {
				fmt.Fprintf(out, "%-5s %s: %s\n", f.State, f.Subject, printable(f.Detail))
			}
		},
	}); err != nil {
		return err
	}
	if x.failed() {
		return errReported
	}
	return nil
}

// examineSecrets resolves every secret of the configuration and shows none.
func (w *workspace) examineSecrets(ctx context.Context, x *examination) {
	n := 0
	try := func(key string, s secretSource) {
		if !s.isSet() {
			return
		}
		n++
		if _, err := w.secrets.resolve(ctx, s); err != nil {
			x.fail(key, err)
		}
	}
	try("fingerprintKey", w.config.FingerprintKey)
	try("repository.auth.token", w.config.Repository.Auth.Token)
	try("repository.signingKey", w.config.Repository.SigningKey)
	if g := w.config.Forge.GitHub; g != nil {
		try("forge.github.token", g.Token)
		if g.App != nil {
			try("forge.github.app.key", g.App.Key)
		}
		for _, s := range g.WebhookSecret {
			try("forge.github.webhookSecret", s)
		}
	}
	for _, name := range sortedKeys(w.config.Secrets) {
		try("secrets."+name, w.config.Secrets[name])
	}
	for _, env := range sortedKeys(w.config.Environments) {
		for _, name := range sortedKeys(w.config.Environments[env].Secrets) {
			try("environments."+env+".secrets."+name, w.config.Environments[env].Secrets[name])
		}
	}
	if !x.failed() && n > 0 {
		x.ok("secrets", "%s can be read", plural(n, "secret"))
	}
}

func (w *workspace) examineRepository(ctx context.Context, x *examination) {
	if err := w.openStore(ctx, useCommand); err != nil {
		x.fail("repository", err)
		return
	}
	begun := time.Now()
	refs, err := w.store.Sync(ctx)
	if err != nil {
		x.fail("repository", fmt.Errorf("%w (check repository.url and repository.auth)", err))
		return
	}
	x.ok("repository", "%s: %s in %s", w.config.Repository.URL, plural(len(refs), "ref"), time.Since(begun).Round(time.Millisecond))
	if !w.store.Atomic() {
		x.note("repository", "does not push several refs atomically: live branches are pushed before the state, which costs a request a change")
	}
	branches := map[string]bool{}
	for _, e := range w.config.Environments {
		branches[e.Branch] = true
	}
	for _, b := range sortedKeys(branches) {
		if refs["refs/heads/"+b].IsZero() {
			x.fail("branch "+b, errors.New("is not there; push a first commit"))
			continue
		}
		x.ok("branch "+b, "is there")
	}
	w.examinePushes(ctx, refs, x)
}

// examineStanding tells what Git's state says of an environment to which nothing is deployed.
func (w *workspace) examineStanding(name string, x *examination) {
	if w.store == nil {
		return // told already
	}
	subject := "environment " + name
	s, lost, err := reconciler.StandingOf(w.store, reconciler.HistoryOptions{Environment: name, StateBranch: w.config.Repository.State == "branch"})
	switch {
	case err != nil:
		x.fail(subject, err)
	case lost:
		x.fail(subject, fmt.Errorf("its state is gone while live/%s exists; driftback init %[1]s --rebuild takes it from both histories", name))
	case s.Halt != "":
		x.fail(subject, errors.New("halted: "+s.Halt))
	case s.Suspended != "":
		x.note(subject, "suspended by %s; driftback resume %s ends that", s.Suspended, name)
	}
	for _, h := range s.Holds {
		x.note(subject, "%s held since deployment %s failed: %s", plural(len(h.Keys)+len(h.With), "object"), h.Deployment, h.Reason)
	}
}

func (w *workspace) examineEnvironment(ctx context.Context, name string, x *examination) {
	subject := "environment " + name
	w.examineStanding(name, x)
	t, err := w.openTarget(ctx, name, nil)
	if err != nil {
		x.fail(subject, err)
		return
	}
	begun := time.Now()
	seen, err := t.Observe(ctx, vendors.Request{})
	if err != nil {
		x.fail(subject, err)
	}
	if seen == nil {
		return
	}
	x.ok(subject, "%s of %s in %s, mode %s", plural(seen.Len(), "object"), w.config.Environments[name].Vendor,
		time.Since(begun).Round(time.Millisecond), w.config.Environments[name].Mode)
	for _, k := range slices.SortedFunc(maps.Keys(seen.Scope().Unknown), resource.Key.Compare) {
		x.note(subject, "%s is not known: %s", k, seen.Scope().Unknown[k])
	}
	for _, k := range t.Kinds() {
		if !k.ReferenceOnly && k.Can.Update && !k.Can.Guard {
			x.note(subject, "%s: the platform has no guard against lost updates; it is read immediately before and after each write, and a short window remains", k.Kind)
		}
	}
	if d, ok := t.Doctor(); ok {
		x.consult(ctx, subject, d)
	}
	if _, ok := t.Auditor(); !ok {
		x.note(subject, "the platform does not tell who changed what: changes by hand carry no name, or the file's owner")
	}
}

// consult takes over what the platform's own doctor found.
func (x *examination) consult(ctx context.Context, subject string, d vendors.Doctor) {
	for _, f := range d.Examine(ctx) {
		switch {
		case f.Err != nil:
			x.fail(subject+": "+f.Subject, f.Err)
		case f.Note:
			x.note(subject, "%s: %s", f.Subject, f.Detail)
		default:
			x.ok(subject, "%s: %s", f.Subject, f.Detail)
		}
	}
}
