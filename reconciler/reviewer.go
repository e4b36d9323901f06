package reconciler

import (
	"strings"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler/report"
)

// reviewers are who is asked to look at a proposal: who made the changes, as far as an address is known, and the owners of the
// changed files by the tracked branch's CODEOWNERS. It is a courtesy: what cannot be read adds nobody.
func (p *pass) reviewers(pr proposal, text report.Pull) []string {
	var out []string
	if p.Attribution == "name" || p.Attribution == "" {
		for _, o := range text.Objects {
			if o.Email != "" && !strings.ContainsAny(o.Email, " \t") {
				out = append(out, strings.ToLower(o.Email))
			}
		}
	}
	return append(out, p.owners(pr)...)
}

// owners returns who owns the files of a proposal.
func (p *pass) owners(pr proposal) []string {
	for _, name := range forge.OwnersFiles {
		f, ok, err := p.store.File(p.head, name)
		if err != nil || !ok {
			continue
		}
		src, err := p.store.Blob(f.ID, forge.MaxOwners)
		if err != nil {
			return nil
		}
		var paths []string
		for _, prefix := range p.want.layout.Prefixes() {
			if err := p.store.Diff(p.head, pr.Head, prefix, func(d gitstore.Delta) error {
				paths = append(paths, d.Path)
				return nil
			}); err != nil {
				return nil
			}
		}
		return forge.ParseOwners(src).OfAll(paths)
	}
	return nil
}
