// Package github is the forge that GitHub is: pull requests, comments, check runs
// or commit statuses, deployments, and the comments of people that are commands.
// It speaks to github.com and to GitHub Enterprise.
//
// It knows GitHub's API and nothing of what the pull requests are about, of Git
// objects or of environments.
//
// Whatever it writes is found again, so that doing it twice is doing it once: a
// pull request by its head branch; a comment by a hidden mark and by being our
// own account's; a deployment by the id in its payload; a check run by its name
// and by the digest in its external id. What a crash or a lost answer left half
// done is completed by the next call.
//
// Reads are conditional, so that one that finds nothing new costs no quota. Rate
// limits are kept: a short pause is waited for, a long one is ErrLimited with the
// time at which it ends.
package github

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/driftback/driftback/gitstore/forge"
)

// Options say which repository, and who asks. URL may be empty; one of App and Token must be set.
type Options struct {
	// URL of the server, such as https://github.example.org; default https://github.com.
	URL         string
	Owner, Repo string
	App         *App                                      // sign in as an app's installation
	Token       func(ctx context.Context) (string, error) // or with a token, asked for before each request
	// Login of the token's account. By default GitHub is asked, which tokens of Actions may not do.
	Login string
	// Teams whose members Commands tells, as ORGANISATION/TEAM.
	Teams []string
	// Logins of people by e-mail address, in small letters.
	Logins map[string]string
	// MergeMethod is merge (default), squash or rebase.
	MergeMethod string

	// Transport is how to reach the server; default http.DefaultTransport.
	Transport http.RoundTripper
	// OnRequest hears of every request that was answered, and of those that were not (code 0).
	OnRequest func(method string, code int)
	// OnLimit hears what the server says is left of a quota.
	OnLimit func(Limit)
	// OnToken hears of every token that is about to be used, so that it can be kept out of logs.
	OnToken func(token string)
	Timeout time.Duration // of one request; default 60 s
	// MaxWait is the longest pause that a call makes when the server asks for one; default 10 s.
	MaxWait time.Duration
	// Pace is the least time between two writes beyond a small burst; default 1 s, as GitHub asks for.
	// Negative sets none.
	Pace time.Duration
	Now  func() time.Time                                 // default time.Now
	Wait func(ctx context.Context, d time.Duration) error // default waits
	// Logger hears of what people can mend, such as a missing permission that is done without. Default discards.
	Logger *slog.Logger
}

// An App is how to sign in as an installation of a GitHub App.
type App struct {
	ID int64
	// Installation is the id of the app's installation; 0 asks GitHub for the one of the repository.
	Installation int64
	Key          []byte // the private key in PEM form
}

// A Limit is what the server says of one of its quotas.
type Limit struct {
	Resource         string // core, search, graphql
	Remaining, Total int    // requests
	Reset            time.Time
}

// A Forge is a client of one repository. Its methods may be called concurrently.
type Forge struct {
	opt         Options
	owner, repo string
	client      *gh.Client
	app         *gh.Client // signed in as the app itself; nil with a token
	sign        signIn
	teams       []string
	log         *slog.Logger

	mu        sync.Mutex // guards what follows
	login     string
	appID     int64
	noDrafts  bool                       // the repository has none
	closers   map[closing]string         // who closed what
	noClosers time.Time                  // until when it is not asked, as that is not permitted
	people    map[string]person          // by e-mail address
	told      map[string]bool            // what was logged and need not be again
	again     map[string]map[string]bool // commits of which somebody asked for the checks again, with the names of those that were made since
}

// A closing is one closing of a pull request.
type closing struct {
	number int
	at     time.Time
}

var _ forge.Forge = (*Forge)(nil)

// New returns a client. It does not connect.
func New(o Options) (*Forge, error) {
	if o.Owner == "" || o.Repo == "" {
		return nil, errors.New("github: no repository is named")
	}
	if !slices.Contains([]string{"", "merge", "squash", "rebase"}, o.MergeMethod) {
		return nil, fmt.Errorf("github: merge method %.20q: want merge, squash or rebase", o.MergeMethod)
	}
	o.setDefaults()
	f := &Forge{
		opt: o, owner: o.Owner, repo: o.Repo, teams: slices.Sorted(slices.Values(o.Teams)), log: o.Logger, login: o.Login,
		closers: map[closing]string{}, people: map[string]person{}, told: map[string]bool{}, again: map[string]map[string]bool{},
	}
	base, err := apiURL(o.URL)
	if err != nil {
		return nil, err
	}
	wire := newLimits(o)
	switch {
	case o.App != nil:
		var bare http.RoundTripper
		if f.sign, bare, err = newAppSignIn(o, base, wire); err != nil {
			return nil, err
		}
		if f.app, err = newClient(bare, base); err != nil {
			return nil, err
		}
	case o.Token != nil:
		f.sign = tokenSignIn{o}
	default:
		return nil, errors.New("github: neither app nor token")
	}
	f.client, err = newClient(newConditional(&signed{f.sign, wire}), base)
	return f, err
}

func (o *Options) setDefaults() {
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.MaxWait == 0 {
		o.MaxWait = 10 * time.Second
	}
	if o.Pace == 0 {
		o.Pace = time.Second
	}
	if o.MergeMethod == "" {
		o.MergeMethod = "merge"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// apiURL returns where the API of a server is: at a host of its own on github.com and
// ghe.com, under /api/v3/ on Enterprise Server.
func apiURL(server string) (*url.URL, error) {
	if server == "" {
		server = "https://github.com"
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return nil, fmt.Errorf("github: URL %.100q: want https://HOST", server)
	}
	host := strings.ToLower(u.Host)
	switch {
	case host == "github.com" || host == "www.github.com":
		return &url.URL{Scheme: "https", Host: "api.github.com", Path: "/"}, nil
	case strings.HasSuffix(host, ".ghe.com"):
		return &url.URL{Scheme: u.Scheme, Host: "api." + strings.TrimPrefix(host, "api."), Path: "/"}, nil
	}
	path := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/api/v3")
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: path + "/api/v3/"}, nil
}

// BranchURL implements forge.Linker.
func (f *Forge) BranchURL(branch string) string {
	web := "https://github.com"
	if u, err := url.Parse(f.opt.URL); err == nil && u.Host != "" {
		host := u.Host
		if strings.HasSuffix(strings.ToLower(host), ".ghe.com") {
			host = strings.TrimPrefix(host, "api.")
		}
		web = u.Scheme + "://" + host + strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/api/v3")
	}
	return web + (&url.URL{Path: "/" + f.owner + "/" + f.repo + "/commits/" + branch}).EscapedPath()
}

func newClient(t http.RoundTripper, base *url.URL) (*gh.Client, error) {
	c := gh.NewClient(&http.Client{Transport: t})
	c.BaseURL, c.UploadURL = base, base // nothing is uploaded
	c.UserAgent = "driftback"
	return c, nil
}

// Token returns the password of the next request to the repository by https.
// It is the app's installation token, renewed in time, or the token.
func (f *Forge) Token(ctx context.Context) (string, error) { return f.sign.token(ctx) }

// me returns our own login, in whatever case it was configured: to GitHub that is the same account.
func (f *Forge) me(ctx context.Context) (string, error) {
	f.mu.Lock()
	login := f.login
	f.mu.Unlock()
	if login != "" {
		return login, nil
	}
	var id int64
	if f.app != nil {
		app, _, err := f.app.Apps.Get(ctx, "")
		if err != nil {
			return "", f.fail(ctx, "ask which app this is", err)
		}
		login, id = app.GetSlug()+"[bot]", app.GetID()
	} else {
		user, _, err := f.client.Users.Get(ctx, "")
		if err != nil {
			return "", f.fail(ctx, "ask whose token this is", err)
		}
		login = user.GetLogin()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.login, f.appID = login, id
	return login, nil
}

// once reports whether this is the first time that something is to be told.
func (f *Forge) once(what string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told[what] || len(f.told) > 1000 {
		return false
	}
	f.told[what] = true
	return true
}

// pages calls list for one page after the other until there is none.
func pages(list func(gh.ListOptions) (*gh.Response, error)) error {
	o := gh.ListOptions{PerPage: 100}
	for range maxPages {
		res, err := list(o)
		if err != nil {
			return err
		}
		if res.NextPage == 0 {
			return nil
		}
		o.Page = res.NextPage
	}
	return fmt.Errorf("more than %d pages", maxPages)
}

// maxPages bounds what a listing reads: 50,000 pull requests or comments.
const maxPages = 500
