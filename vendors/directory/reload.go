//go:build unix

package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/driftback/driftback/vendors"
)

// maxAnswer bounds what is repeated of a server's or a program's answer, in bytes.
const maxAnswer = 4 << 10

// An activator makes the server take over what is stored.
type activator struct {
	r       Reload
	root    string
	timeout time.Duration
	client  *http.Client
}

func newActivator(r *Reload, root string) *activator {
	a := &activator{r: *r, root: root, timeout: defaultTimeout}
	if r.Timeout != nil && *r.Timeout > 0 {
		a.timeout = time.Duration(*r.Timeout)
	}
	a.client = &http.Client{CheckRedirect: sameHost}
	return a
}

// sameHost follows redirects within the host that the operator named, and no others.
func sameHost(next *http.Request, via []*http.Request) error {
	if first := via[0].URL; next.URL.Host != first.Host || next.URL.Scheme != first.Scheme || len(via) >= 5 {
		return http.ErrUseLastResponse
	}
	return nil
}

// Activate asks the check, if there is one, and then has the server reload. A no of
// either is ErrRefused with the reason in their own words; where nobody answers, the failure is a passing one.
func (a *activator) Activate(ctx context.Context) error {
	if k := a.r.Check; k != nil {
		if err := a.ask(ctx, k.HTTP, k.Command); err != nil {
			return fmt.Errorf("activate: check: %w", err)
		}
	}
	if err := a.ask(ctx, a.r.HTTP, a.r.Command); err != nil {
		return fmt.Errorf("activate: reload: %w", err)
	}
	return nil
}

// Checks reports whether a broken configuration would be noticed: a check is asked, or
// the reload is a request, whose answer is the server's verdict. A reloading command often only sends a signal.
func (a *activator) Checks() bool { return a.r.Check != nil || a.r.HTTP != nil }

func (a *activator) ask(ctx context.Context, r *Request, command []string) error {
	limited, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	var err error
	if r != nil {
		err = a.request(limited, r)
	} else {
		err = a.run(limited, command)
	}
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("no answer within %v", a.timeout)
	}
	return err
}

// request sends a request and judges the answer.
func (a *activator) request(ctx context.Context, r *Request) error {
	q, err := http.NewRequestWithContext(ctx, cmp.Or(r.Method, http.MethodPost), r.URL, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", vendors.ErrInvalid, err)
	}
	for k, v := range r.Headers {
		q.Header.Set(k, v)
	}
	answer, err := a.client.Do(q)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // read as far as wanted
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s: %w", answer.Status, err)
	}
	why := strings.TrimRight(answer.Status+": "+plain(body), ": ")
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("%w: %s", vendors.ErrDenied, why)
	case code == http.StatusTooManyRequests, code >= 502 && code <= 504:
		return errors.New(why)
	}
	return fmt.Errorf("%w: %s", vendors.ErrRefused, why)
}

// run runs a program with the root as its folder, and without what the environment of this
// process holds beyond the basics: there may be credentials in it. When time is up, it and what it started are killed.
func (a *activator) run(ctx context.Context, command []string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) // #nosec G204 -- the operator's own configuration names it
	cmd.Dir = a.root
	cmd.Env = []string{"DRIFTBACK_ROOT=" + a.root}
	for _, k := range []string{"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"} {
		if v, ok := os.LookupEnv(k); ok {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
	}
	out := &answer{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil: // it left a child with our pipe behind
		return nil
	case errors.As(err, &exit) && exit.Exited():
		return fmt.Errorf("%w: %s", vendors.ErrRefused, strings.TrimRight(exit.String()+": "+plain(out.said), ": "))
	}
	return fmt.Errorf("%s: %w", command[0], err)
}

// answer keeps the beginning of what a program says.
type answer struct{ said []byte }

func (a *answer) Write(p []byte) (int, error) {
	a.said = append(a.said, p[:min(len(p), maxAnswer-len(a.said))]...)
	return len(p), nil
}

// plain makes an answer fit for one line of a message.
func plain(b []byte) string {
	s := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(b), "?"))
	return strings.Join(strings.Fields(s), " ")
}
