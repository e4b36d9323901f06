package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
)

func (c *cli) pullsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pulls",
		Short: "Pull requests of the built-in forge",
		Long: `Pull requests of the built-in forge, which keeps them in the repository itself.
Who acts is $DRIFTBACK_USER ("Ann Lee <ann@example.org>"), or else your login.`,
		Example: `  driftback pulls list
  driftback pulls show 3
  driftback pulls merge 3`,
		GroupID: "act",
		Args:    cobra.ArbitraryArgs,
		RunE:    groupHelp,
	}
	cmd.AddCommand(c.pullsList(), c.pullsShow(), c.pullsOpen(), c.pullsMerge(), c.pullsComment(),
		c.pullsTurn("close", "Close a pull request; its branch stays", (*local.Forge).Close),
		c.pullsTurn("reopen", "Open a closed pull request again", (*local.Forge).Reopen))
	return cmd
}

// withForge runs f on the opened forge.
func (c *cli) withForge(ctx context.Context, f func(*local.Forge) error) (err error) {
	w, err := c.open(ctx, useCommand)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if w.local == nil {
		at, _ := w.config.slug()
		return fmt.Errorf("pull requests live at %s/%s/%s/pulls; these commands are for the built-in forge", at.server, at.owner, at.name)
	}
	if _, err := w.store.Sync(ctx); err != nil {
		return err
	}
	return f(w.local)
}

func (c *cli) pullsList() *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List pull requests, newest first",
		Example: "  driftback pulls list --state all",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter := forge.Filter{State: forge.State(state)}
			switch state {
			case "all":
				filter.State = ""
			case "open", "merged", "closed":
			default:
				return fmt.Errorf("--state %s: want open, merged, closed or all", state)
			}
			return c.withForge(cmd.Context(), func(f *local.Forge) error {
				pulls, err := f.Pulls(cmd.Context(), filter)
				if err != nil {
					return err
				}
				return c.print(pullList(pulls))
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "open", "open, merged, closed or all")
	return cmd
}

func pullList(pulls []forge.Pull) result {
	if pulls == nil {
		pulls = []forge.Pull{}
	}
	return result{
		value: map[string]any{"pulls": pulls},
		text: func(w io.Writer) {
			if len(pulls) == 0 {
				fmt.Fprintln(w, "no pull requests")
				return
			}
			t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			for _, p := range pulls {
				fmt.Fprintf(t, "#%d\t%s\t%s\t%s\n", p.Number, pullState(p), printable(p.Title), p.Updated.Format(time.DateOnly))
			}
			_ = t.Flush() // what is written to w is checked by who prints it
		},
		markdown: func(w io.Writer) {
			fmt.Fprintln(w, "| # | State | Title | Updated |\n|---|---|---|---|")
			for _, p := range pulls {
				fmt.Fprintf(w, "| %d | %s | %s | %s |\n", p.Number, pullState(p), cell(p.Title), p.Updated.Format(time.DateOnly))
			}
		},
	}
}

// cell makes a text fit into a cell of a Markdown table.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(printable(s)) }

func pullState(p forge.Pull) string {
	if p.Draft && p.State == forge.Open {
		return "draft"
	}
	return string(p.State)
}

func (c *cli) pullsShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show NUMBER",
		Short:   "Show a pull request with its diff and comments",
		Example: "  driftback pulls show 3",
		Args:    c.takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := pullNumber(args[0])
			if err != nil {
				return err
			}
			return c.withForge(cmd.Context(), func(f *local.Forge) error {
				d, err := f.Show(cmd.Context(), n)
				if err != nil {
					return err
				}
				return c.print(pullDetails(d))
			})
		},
	}
}

// A pullView is a pull request as programs see it.
type pullView struct {
	forge.Pull
	Comments  []forge.Comment `json:"comments,omitempty"`
	Statuses  []forge.Status  `json:"statuses,omitempty"`
	Files     []string        `json:"files"`
	Diff      string          `json:"diff"`
	Truncated bool            `json:"truncated,omitempty"`
}

func pullDetails(d local.Details) result {
	diff := printableText(d.Diff)
	v := pullView{Pull: d.Pull, Comments: d.Comments, Statuses: d.Statuses, Files: []string{}, Diff: d.Diff, Truncated: d.Truncated}
	for _, f := range d.Files {
		v.Files = append(v.Files, f.Path)
	}
	head := func(w io.Writer, bold string) {
		fmt.Fprintf(w, "%s#%d %s%s\n", bold, d.Number, printable(d.Title), bold)
		fmt.Fprintf(w, "%s · %s into %s · opened %s", pullState(d.Pull), d.Head, d.Base, d.Created.Format(time.DateTime))
		if d.ClosedBy != "" {
			fmt.Fprintf(w, " · %s by %s", d.State, printable(d.ClosedBy))
		}
		fmt.Fprintln(w)
		for _, s := range d.Statuses {
			fmt.Fprintf(w, "%s: %s %s\n", s.Context, s.State, s.Description)
		}
		if d.Body != "" {
			fmt.Fprintf(w, "\n%s\n", strings.TrimRight(printableText(d.Body), "\n"))
		}
	}
	comments := func(w io.Writer) {
		for _, m := range d.Comments {
			fmt.Fprintf(w, "\n%s, %s:\n%s\n", printable(m.Author), m.Created.Format(time.DateTime), strings.TrimRight(printableText(m.Body), "\n"))
		}
	}
	cut := func(w io.Writer) {
		if d.Truncated {
			fmt.Fprintln(w, "The diff is longer than what is shown here.")
		}
	}
	return result{
		value: v,
		text: func(w io.Writer) {
			head(w, "")
			fmt.Fprintf(w, "\n%s", diff)
			cut(w)
			comments(w)
		},
		markdown: func(w io.Writer) {
			head(w, "**")
			fence := fenceFor(diff)
			fmt.Fprintf(w, "\n%sdiff\n%s%s\n", fence, diff, fence)
			cut(w)
			comments(w)
		},
	}
}

func (c *cli) pullsMerge() *cobra.Command {
	var method, message string
	var draft bool
	cmd := &cobra.Command{
		Use:   "merge NUMBER",
		Short: "Merge a pull request",
		Example: `  driftback pulls merge 3
  driftback pulls merge 3 --method squash --message "Taken over from production"`,
		Args: c.takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := pullNumber(args[0])
			if err != nil {
				return err
			}
			switch m := local.Method(method); m {
			case local.ByMerge, local.BySquash, local.ByRebase:
				return c.withForge(cmd.Context(), func(f *local.Forge) error {
					p, err := f.MergeWith(cmd.Context(), n, local.MergeOptions{Method: m, Message: message, Draft: draft})
					if err != nil {
						return whyDraft(cmd.Context(), f, n, draft, err)
					}
					return c.print(pullDone(p))
				})
			}
			return fmt.Errorf("--method %s: want merge, squash or rebase", method)
		},
	}
	cmd.Flags().StringVar(&method, "method", string(local.ByMerge), "merge, squash or rebase")
	cmd.Flags().StringVarP(&message, "message", "m", "", "message of the commit")
	cmd.Flags().BoolVar(&draft, "draft", false, "merge it although it is a draft")
	return cmd
}

// whyDraft adds to the refusal of a draft why it is one and how it is merged.
func whyDraft(ctx context.Context, f *local.Forge, n int, meant bool, err error) error {
	if meant || !errors.Is(err, forge.ErrNotAllowed) {
		return err
	}
	d, showErr := f.Show(ctx, n)
	if showErr != nil || !d.Draft || d.State != forge.Open {
		return err
	}
	if env, ours := strings.CutPrefix(d.Head, "driftback/drift/"); ours {
		return fmt.Errorf("pull request #%d is a draft: what it proposes breaches a guard or is in conflict, as its text says; "+
			"look at it with driftback pulls show %[1]d, then driftback drift accept %s, or driftback pulls merge %[1]d --draft", n, env)
	}
	return fmt.Errorf("pull request #%d is a draft: its author says that it is not finished; driftback pulls merge %[1]d --draft merges it all the same", n)
}

func (c *cli) pullsTurn(verb, short string, turn func(*local.Forge, context.Context, int) (forge.Pull, error)) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " NUMBER",
		Short:   short,
		Example: "  driftback pulls " + verb + " 3",
		Args:    c.takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := pullNumber(args[0])
			if err != nil {
				return err
			}
			return c.withForge(cmd.Context(), func(f *local.Forge) error {
				p, err := turn(f, cmd.Context(), n)
				if err != nil {
					return err
				}
				return c.print(pullDone(p))
			})
		},
	}
}

func (c *cli) pullsComment() *cobra.Command {
	return &cobra.Command{
		Use:     "comment NUMBER TEXT",
		Short:   "Comment on a pull request",
		Example: `  driftback pulls comment 3 "who raised this limit?"`,
		Args:    c.takes(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := pullNumber(args[0])
			if err != nil {
				return err
			}
			return c.withForge(cmd.Context(), func(f *local.Forge) error {
				m, err := f.Comment(cmd.Context(), n, args[1])
				if err != nil {
					return err
				}
				return c.print(result{value: m, text: func(w io.Writer) { fmt.Fprintf(w, "commented on #%d\n", n) }})
			})
		},
	}
}

func pullDone(p forge.Pull) result {
	return result{value: p, text: func(w io.Writer) { fmt.Fprintf(w, "#%d %s: %s\n", p.Number, printable(p.Title), p.State) }}
}

// pullNumber reads 3 or #3.
func pullNumber(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(s, "#"))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("pull request %q: want a number such as 3", s)
	}
	return n, nil
}
