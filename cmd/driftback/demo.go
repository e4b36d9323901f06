package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

const demoLong = `Try driftback: three organisations of a simulated platform with the configuration of a contact centre,
a repository, pull requests and the daemon, all in this one process. Nothing is installed, no account is
needed, and nothing leaves this machine. It runs until it is interrupted, and says what can be tried.

With --story it plays through by itself what driftback is for, with real requests, says for each step what
proves it, and ends with exit code 0 only if every step held.

With --dir everything is kept in that folder, and the next start goes on from there; without it, it is
kept in a temporary folder that is removed at the end.`

func (c *cli) demoCommand() *cobra.Command {
	var o demoOptions
	var story bool
	cmd := &cobra.Command{
		Use:     "demo [--story]",
		Short:   "Try it, without an account or a network",
		Long:    demoLong,
		Example: "  driftback demo --story\n  driftback demo --dir play",
		GroupID: "loop",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if story && !cmd.Flags().Changed("listen") {
				o.listen = "127.0.0.1:0"
			}
			return c.demo(cmd.Context(), o, story)
		},
	}
	cmd.Flags().BoolVar(&story, "story", false, "play the whole story by itself")
	cmd.Flags().StringVar(&o.dir, "dir", "", "folder in which everything is kept (default a temporary one)")
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:9651", "where the platform's pages and API are; loopback only")
	return cmd
}

// demo starts everything, tells the story or what to try, and puts away what is not to be kept.
func (c *cli) demo(ctx context.Context, o demoOptions, story bool) (err error) {
	keep := o.dir != ""
	if !keep {
		if o.dir, err = os.MkdirTemp("", "driftback-demo-"); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	d, err := c.openDemo(ctx, o)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if story {
		return tell(ctx, d, c.stdout)
	}
	fmt.Fprintln(c.stdout, "The configuration of three organisations is brought to Git …")
	if err := d.begin(ctx); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	d.guide(c.stdout)
	<-d.ended
	if ctx.Err() != nil {
		fmt.Fprintln(c.stdout, "\nStopped.")
		if keep {
			fmt.Fprintf(c.stdout, "Everything is kept: %s goes on from here.\n", d.command("demo --dir "+quoteArg(o.dir)))
		}
		return nil
	}
	return errors.New("demo: the daemon ended; see " + d.path("driftback.log"))
}

// guide says where everything is, and three things to try.
func (d *demo) guide(w io.Writer) {
	fmt.Fprintf(w, `
%s, an insurer that does not exist, has three organisations on a simulated platform:

`, d.company)
	for _, env := range d.environments {
		fmt.Fprintf(w, "  %-14s %d objects   %s\n", env, d.orgs[env].Count(""), d.page(env, "queue"))
	}
	conf := d.flags()
	fmt.Fprintf(w, `  repository     %s
  configuration  %s
  log            %s
  metrics        http://%s/metrics

driftback keeps them in agreement with Git, both ways. Three things to try, from another terminal:

1. Change production by hand. Sign in under any name, change a queue and save it:
     %s
   A moment later there is a pull request with your name and what you changed. Merging it accepts the change:
     %s
     %s
     %s
   To put production back instead: %s

2. Change it in Git. What is pushed to main is deployed:
     git clone %s work
     edit work/environments/prod/queue/*.yaml, git commit, git push
   See it arrive:  %s
   git revert is the way back.

3. Compare two organisations. Their ids differ, and are not compared:
     %s

Stop with Ctrl-C.
`, d.url, d.path("driftback.yaml"), d.path("driftback.log"), d.metrics,
		d.page("prod", "queue"),
		d.command(conf+" pulls list"), d.command(conf+" pulls show N"), d.command(conf+" pulls merge N"), d.command(conf+" drift revert prod"),
		quoteArg(d.url), d.page("prod", "audit"), d.command(conf+" diff live:test live:prod"))
}

// command is how this program is called with the arguments.
func (d *demo) command(args string) string { return d.program + " " + args }

// flags name the demo's configuration on a command line.
func (d *demo) flags() string { return "-c " + quoteArg(d.path("driftback.yaml")) }

// program is how the user called this program, as far as that works from elsewhere.
func program() string {
	if strings.Contains(os.Args[0], "go-build") { // go run, whose binary is gone afterwards
		return "go run ./cmd/driftback"
	}
	return os.Args[0]
}

// quoteArg makes a path an argument for a shell.
func quoteArg(s string) string {
	if strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("/._-", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
