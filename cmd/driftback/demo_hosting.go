package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
)

// A hosting is where the demo's repository and its pull requests live, as people use them.
type hosting interface {
	// repository is there afterwards, if it was not; at is how people reach it, and config what driftback.yaml says of it and of the forge.
	repository(dir string) (at gitstore.Options, config string, err error)
	open(ctx context.Context, person string, p forge.Pull) (forge.Pull, error)
	show(ctx context.Context, n int) (local.Details, error)
	merge(ctx context.Context, person string, n int) (forge.Pull, error)
}

// builtIn is the built-in forge, on a repository in the demo's folder.
type builtIn struct{ *demo }

func (d *builtIn) repository(string) (at gitstore.Options, config string, err error) {
	at.URL = d.path("config.git")
	return at, fmt.Sprintf("repository:\n  url: %q\n  mirror: %q\nforge: {local: {}}\n", at.URL, d.path("mirror")), gitstore.Init(at.URL, "main")
}

func (d *builtIn) forge(person string) (*local.Forge, error) {
	return local.Open(d.store, local.Options{User: person + " <" + addressOf(person) + ">", Logger: slog.New(slog.DiscardHandler)})
}

// addressOf is where a person of the demo would get mail.
func addressOf(person string) string {
	return strings.ToLower(strings.ReplaceAll(person, " ", ".")) + "@alpine-mutual.example"
}

func (d *builtIn) open(ctx context.Context, person string, p forge.Pull) (forge.Pull, error) {
	f, err := d.forge(person)
	if err != nil {
		return forge.Pull{}, err
	}
	return f.EnsurePull(ctx, p)
}

func (d *builtIn) show(ctx context.Context, n int) (local.Details, error) {
	f, err := d.forge("nobody")
	if err != nil {
		return local.Details{}, err
	}
	return f.Show(ctx, n)
}

func (d *builtIn) merge(ctx context.Context, person string, n int) (forge.Pull, error) {
	f, err := d.forge(person)
	if err != nil {
		return forge.Pull{}, err
	}
	return f.MergeWith(ctx, n, local.MergeOptions{Method: local.ByMerge, Draft: true})
}
