package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v60/github"
)

// A signIn has the token of the next request.
type signIn interface {
	token(ctx context.Context) (string, error)
	// refused says that the server does not take this token any more.
	refused(token string)
}

// tokenSignIn has the operator's token, which is read anew each time.
type tokenSignIn struct{ o Options }

func (s tokenSignIn) token(ctx context.Context) (string, error) {
	token, err := s.o.Token(ctx)
	if err != nil {
		return "", fmt.Errorf("get token: %w", err)
	}
	s.o.heard(token)
	return token, nil
}

func (tokenSignIn) refused(string) {}

func (o Options) heard(token string) {
	if o.OnToken != nil {
		o.OnToken(token)
	}
}

// An appSignIn has the token of an app's installation, and gets another one a minute before it ends.
// The token is good for the one repository only.
type appSignIn struct {
	o    Options
	apps *ghinstallation.AppsTransport
	find *gh.Client // signed in as the app

	mu           sync.Mutex // guards what follows; held while a token is fetched, so that one is fetched
	installation int64
	current      *ghinstallation.Transport
	last         string
}

// newAppSignIn also returns the transport that signs in as the app itself.
func newAppSignIn(o Options, base *url.URL, wire http.RoundTripper) (*appSignIn, http.RoundTripper, error) {
	apps, err := ghinstallation.NewAppsTransport(wire, o.App.ID, o.App.Key)
	if err != nil {
		return nil, nil, errors.New("github: app: the key is no RSA private key in PEM form")
	}
	apps.BaseURL = strings.TrimSuffix(base.String(), "/")
	find, err := newClient(apps, base)
	if err != nil {
		return nil, nil, err
	}
	return &appSignIn{o: o, apps: apps, find: find, installation: o.App.Installation}, apps, nil
}

func (s *appSignIn) token(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.installation != 0
	token, err := s.fetch(ctx)
	if known && s.o.App.Installation == 0 && isRefused(err, http.StatusNotFound) {
		// The app was taken off and installed again since, which has another id.
		s.installation, s.current = 0, nil
		token, err = s.fetch(ctx)
	}
	var refused *ghinstallation.HTTPError
	if errors.As(err, &refused) {
		err = fmt.Errorf("get a token of app %d, installation %d: %w", s.o.App.ID, s.installation, err)
		if refused.Response != nil && refused.Response.StatusCode == http.StatusUnauthorized {
			err = fmt.Errorf("%w (is the key the app's, and the clock right?): %w", ErrSignIn, err)
		}
	}
	if err != nil {
		return "", err
	}
	if token != s.last {
		s.last = token
		s.o.heard(token)
	}
	return token, nil
}

// fetch returns a token of the installation, and finds that before where it is not known. The caller holds mu.
func (s *appSignIn) fetch(ctx context.Context) (string, error) {
	if s.installation == 0 {
		found, _, err := s.find.Apps.FindRepositoryInstallation(ctx, s.o.Owner, s.o.Repo)
		if err != nil {
			return "", fmt.Errorf("find the app's installation on %s/%s: %w", s.o.Owner, s.o.Repo, err)
		}
		s.installation = found.GetID()
	}
	if s.current == nil {
		s.current = ghinstallation.NewFromAppsTransport(s.apps, s.installation)
		s.current.InstallationTokenOptions = &gh.InstallationTokenOptions{Repositories: []string{s.o.Repo}}
	}
	token, err := s.current.Token(ctx)
	var refused *ghinstallation.HTTPError
	if errors.As(err, &refused) && refused.Response != nil {
		_ = refused.Response.Body.Close() // the library leaves it open
	}
	return token, err
}

// isRefused reports whether GitHub refused a token with this status.
func isRefused(err error, code int) bool {
	var refused *ghinstallation.HTTPError
	return errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode == code
}

func (s *appSignIn) refused(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token == s.last {
		s.current = nil
	}
}

// signed is a transport that signs in. A token that ends in mid-pass is replaced once per request.
type signed struct {
	sign signIn
	next http.RoundTripper
}

func (t *signed) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := t.sign.token(req.Context())
	if err != nil {
		return nil, err
	}
	res, err := t.with(req, token)
	if err != nil || res.StatusCode != http.StatusUnauthorized || req.Body != nil && req.GetBody == nil {
		return res, err
	}
	t.sign.refused(token)
	other, err := t.sign.token(req.Context())
	if err != nil || other == token {
		return res, nil //nolint:nilerr // the refusal says more
	}
	_ = res.Body.Close()
	return t.with(req, other)
}

func (t *signed) with(req *http.Request, token string) (*http.Response, error) {
	again, err := clone(req)
	if err != nil {
		return nil, err
	}
	again.Header.Set("Authorization", "Bearer "+token)
	return t.next.RoundTrip(again)
}

// clone returns a request that may be changed and sent.
func clone(req *http.Request) (*http.Request, error) {
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		again.Body = body
	}
	return again, nil
}

// GitTransport is a transport for git, which signs in with Token as password: one that is refused, because it ended in
// mid-pass, is replaced once per request, where the request can be sent again.
func (f *Forge) GitTransport(next http.RoundTripper) http.RoundTripper {
	return &renewing{f.sign, next}
}

type renewing struct {
	sign signIn
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *renewing) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(req)
	user, old, ok := req.BasicAuth()
	if err != nil || res.StatusCode != http.StatusUnauthorized || !ok {
		return res, err
	}
	t.sign.refused(old)
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return res, nil // the next one has a new token
	}
	token, err := t.sign.token(req.Context())
	if err != nil || token == old {
		return res, nil //nolint:nilerr // the refusal says more
	}
	again, err := clone(req)
	if err != nil {
		return res, nil //nolint:nilerr // as above
	}
	_ = res.Body.Close()
	again.SetBasicAuth(user, token)
	return t.next.RoundTrip(again)
}
