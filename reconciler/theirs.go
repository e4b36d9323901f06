package reconciler

import (
	"context"
	"fmt"
	"slices"

	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler/report"
)

// announceTheirs tells a pull request of ours to whose branch a person pushed that it is left to them, and where what is changed by
// hand from then on is proposed.
func (p *pass) announceTheirs(ctx context.Context, open []forge.Pull) error {
	all := slices.Clone(p.st.seen.Proposals)
	for i, pr := range all {
		n := slices.IndexFunc(open, func(pull forge.Pull) bool { return pull.Head == pr.Branch && !pull.Fork })
		if pr.Closed || n < 0 || !pr.Foreign && pr.Said == "" {
			continue
		}
		body := ""
		if pr.Foreign {
			body = p.theirs(pr, open)
		}
		said := digest(body)
		if body == "" {
			said = ""
		}
		if said == pr.Said {
			continue
		}
		done, err := p.say(ctx, "it is left to who pushed to it", open[n].Number, func() error {
			return p.r.c.Forge.EnsureComment(ctx, open[n].Number, "theirs/"+p.Name, body)
		})
		if err != nil {
			return err
		}
		if done {
			all[i].Said = said
			p.st.seen.Proposals = all
		}
	}
	return nil
}

// theirs says why a pull request of ours is not kept up to date any more.
func (p *pass) theirs(pr proposal, open []forge.Pull) string {
	out := fmt.Sprintf("Somebody else pushed to %s, so it is theirs: driftback neither rebuilds nor closes it, and no commit in it is lost. Merging it accepts what it then says.", report.Value(pr.Branch))
	for _, other := range p.st.seen.Proposals {
		i := slices.IndexFunc(open, func(pull forge.Pull) bool { return pull.Head == other.Branch && !pull.Fork })
		if !other.Foreign && !other.Closed && !other.Accepted && i >= 0 {
			return out + fmt.Sprintf(" What was changed by hand since is proposed in #%d.\n", open[i].Number)
		}
	}
	return out + " What is changed by hand from now on will be proposed in another one.\n"
}
