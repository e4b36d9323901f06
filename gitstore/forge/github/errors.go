package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	gh "github.com/google/go-github/v60/github"

	"github.com/driftback/driftback/gitstore/forge"
)

// The classes of failure besides those of package forge.
var (
	// ErrSignIn says that GitHub does not take the credentials.
	ErrSignIn = errors.New("sign-in refused by GitHub")
	// ErrPermission says that the app or token lacks a permission, which the text names.
	ErrPermission = errors.New("permission denied")
)

// fail gives an error of the API its class, and a message of one line that names the operation and, where
// a permission is missing, which.
func (f *Forge) fail(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("github: %s: %w", op, ctx.Err())
	}
	var limited *gh.RateLimitError
	var abuse *gh.AbuseRateLimitError
	var res *gh.ErrorResponse
	switch {
	case errors.As(err, &limited):
		return fmt.Errorf("github: %s: %w", op, &LimitError{Until: limited.Rate.Reset.Time})
	case errors.As(err, &abuse):
		return fmt.Errorf("github: %s: %w", op, &LimitError{Until: f.opt.Now().Add(max(secondary, abuse.GetRetryAfter())), Secondary: true})
	case errors.As(err, &res) && res.Response != nil:
		return fmt.Errorf("github: %s: %w", op, f.refusal(res))
	}
	return fmt.Errorf("github: %s: %w", op, err)
}

// without is fail for what is a courtesy: where it is not permitted, that is told once, and things go on without it.
func (f *Forge) without(ctx context.Context, op string, err error) error {
	denied := isCode(err, http.StatusForbidden)
	if err = f.fail(ctx, op, err); !denied || ctx.Err() != nil {
		return err
	}
	if f.once("without " + op) {
		f.log.Warn("a permission is missing, and things go on without it", "err", err)
	}
	return nil
}

// refusal is what an answer that is an error comes to.
func (f *Forge) refusal(res *gh.ErrorResponse) error {
	said := saying(res)
	switch code := res.Response.StatusCode; {
	case code == http.StatusUnauthorized:
		return fmt.Errorf("%w: %s", ErrSignIn, said)
	case code == http.StatusNotFound || code == http.StatusGone:
		return fmt.Errorf("%s (or not visible with these credentials): %w", said, forge.ErrNotFound)
	case code == http.StatusForbidden:
		if need := needed(res.Response); need != "" {
			return fmt.Errorf("%w: needs %s: %s", ErrPermission, need, said)
		}
		return fmt.Errorf("%w: %s", ErrPermission, said)
	case code == http.StatusUnprocessableEntity:
		return fmt.Errorf("%s: %w", said, forge.ErrInvalid)
	default:
		return fmt.Errorf("HTTP %d: %s", code, said)
	}
}

// saying is what GitHub said, on one line of bounded length.
func saying(res *gh.ErrorResponse) string {
	parts := []string{res.Message}
	for _, e := range res.Errors {
		switch {
		case e.Message != "":
			parts = append(parts, e.Message)
		case e.Field != "":
			parts = append(parts, e.Field+" "+e.Code)
		}
	}
	said := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(strings.Join(parts, "; "), " "))
	said = strings.Join(strings.Fields(said), " ")
	if said == "" {
		said = http.StatusText(res.Response.StatusCode)
	}
	return fmt.Sprintf("%.300s", said)
}

// needed names the permission that a request wants: as GitHub says, else by the table of endpoints.
// Source of the header X-Accepted-GitHub-Permissions: docs.github.com, "Troubleshooting the REST API".
func needed(res *http.Response) string {
	if said := res.Header.Get("X-Accepted-GitHub-Permissions"); said != "" {
		return fmt.Sprintf("%.200s", strings.NewReplacer("=", ": ", ",", ", ", "; ", " or ", "_", " ").Replace(said))
	}
	if res.Request == nil {
		return ""
	}
	path := res.Request.URL.EscapedPath()
	for _, base := range []string{"/api/v3", "/api"} { // of GitHub Enterprise
		path = strings.TrimPrefix(path, base)
	}
	if n, known := NeedOf(res.Request.Method, path); known && n.Name != "" {
		return n.String()
	}
	return ""
}

// says reports whether an error is an answer of this status whose texts hold one of the words.
func says(err error, code int, words ...string) bool {
	var res *gh.ErrorResponse
	if !errors.As(err, &res) || res.Response == nil || res.Response.StatusCode != code {
		return false
	}
	said := strings.ToLower(saying(res))
	for _, w := range words {
		if strings.Contains(said, w) {
			return true
		}
	}
	return len(words) == 0
}

// blames reports whether GitHub calls this field of the request not valid.
func blames(err error, field string) bool {
	var res *gh.ErrorResponse
	if !errors.As(err, &res) || res.Response == nil || res.Response.StatusCode != http.StatusUnprocessableEntity {
		return false
	}
	for _, e := range res.Errors {
		if e.Field == field && (e.Code == "invalid" || e.Code == "missing") {
			return true
		}
	}
	return false
}

// isCode reports whether an error is an answer of this status.
func isCode(err error, code int) bool { return says(err, code) }

func asResponse(err error) (*gh.ErrorResponse, bool) {
	var res *gh.ErrorResponse
	ok := errors.As(err, &res) && res.Response != nil
	return res, ok
}
