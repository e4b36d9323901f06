package github_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/forgetest"
	"github.com/driftback/driftback/gitstore/forge/github"
	"github.com/driftback/driftback/gitstore/forge/github/githubtest"
)

// A site is a stand-in for GitHub with one repository, its people, and an app.
type site struct {
	*githubtest.Server
	repo  *githubtest.Repo
	app   *githubtest.App
	inst  *githubtest.Installation
	token string // of driftback's own account, for signing in without an app
	ann   string // token of a person who may write
}

const owner, name = "acme", "config"

func newSite(t *testing.T, o githubtest.Options) *site {
	t.Helper()
	s := &site{Server: githubtest.New(t, o)}
	s.Org(owner, "ann", "bob", "driftback-robot")
	s.User("ann", "Ann Lee", "ann@example.org")
	s.User("bob", "Bob Roe", "bob@example.org")
	s.User("eve", "Eve Stranger", "eve@example.org")
	s.Team(owner, "operators", "ann")
	s.Team(owner, "others", "bob")
	s.repo = s.Server.Repo(owner + "/" + name)
	s.repo.Grant("ann", "write")
	s.repo.Grant("bob", "read")
	s.repo.Grant("driftback-robot", "write")
	s.app = s.App("driftback", owner, nil)
	s.inst = s.app.Install(owner, nil)
	s.token, s.ann = s.Token("driftback-robot"), s.Token("ann")
	s.repo.Push(t, forgetest.Main, map[string]string{"README": "read me\n"})
	t.Cleanup(func() { s.asksForNoMore(t) })
	return s
}

// options are those of a client that does not wait for nothing.
func (s *site) options(app bool) github.Options {
	o := github.Options{URL: s.URL, Owner: owner, Repo: name, Teams: []string{owner + "/operators", owner + "/others"}, Pace: -1}
	if app {
		o.App = &github.App{ID: s.app.ID, Key: s.app.Key()}
		return o
	}
	o.Token = token(s.token)
	return o
}

// client opens a client.
func (s *site) client(t *testing.T, o github.Options) *github.Forge {
	t.Helper()
	f, err := github.New(o)
	require.NoError(t, err)
	return f
}

// person makes a request as ann, and decodes what is answered into out.
func (s *site) person(t *testing.T, method, path string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	require.NoError(t, err)
	if in == nil {
		body = nil
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.API()+"repos/"+owner+"/"+name+path, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+s.ann)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Less(t, res.StatusCode, 300, "%s %s: %s", method, path, answer)
	if out != nil {
		require.NoError(t, json.Unmarshal(answer, out))
	}
}

func (s *site) comment(t *testing.T, n int, body string) {
	t.Helper()
	s.person(t, "POST", fmt.Sprintf("/issues/%d/comments", n), map[string]string{"body": body}, nil)
}

func (s *site) state(t *testing.T, n int, state string) {
	t.Helper()
	s.person(t, "PATCH", fmt.Sprintf("/pulls/%d", n), map[string]string{"state": state}, nil)
}

func (s *site) fixture(t *testing.T, app bool) forgetest.Fixture {
	me := "driftback-robot"
	if app {
		me = "driftback[bot]"
	}
	s.repo.Set(t, "protected", s.repo.Tip(t, forgetest.Main))
	s.repo.Protect("protected", githubtest.Protection{Approvals: 1})
	f := forgetest.Fixture{
		Forge: s.client(t, s.options(app)),
		Other: func(t *testing.T) forge.Forge { return s.client(t, s.options(app)) },
		Git:   s.repo, Protected: "protected",
		Comment:   s.comment,
		Write:     true,
		Teams:     []string{owner + "/operators"},
		Reviewer:  "bob",
		Reactions: func(t *testing.T, n int, comment string) []string { return s.reactions(t, me, comment) },
		Close:     func(t *testing.T, n int) { s.state(t, n, "closed") },
		Reopen:    func(t *testing.T, n int) { s.state(t, n, "open") },
		MergeBy: func(t *testing.T, n int, method string) {
			s.person(t, "PUT", fmt.Sprintf("/pulls/%d/merge", n), map[string]string{"merge_method": method}, nil)
		},
		Writes:      func(*testing.T) int { return s.Writes() },
		Deployments: s.deployments,
		Statuses:    s.statuses,
	}
	if app {
		f.Statuses = s.checks
	}
	return f
}

func (s *site) reactions(t *testing.T, me, comment string) []string {
	var list []struct {
		Content string
		User    struct{ Login string }
	}
	s.person(t, "GET", "/issues/comments/"+comment+"/reactions?per_page=100", nil, &list)
	var out []string
	for _, r := range list {
		if r.User.Login == me {
			out = append(out, r.Content)
		}
	}
	slices.Sort(out)
	return out
}

func (s *site) statuses(t *testing.T, commit string) []forge.Status {
	var combined struct {
		Statuses []struct {
			Context, State, Description string
			TargetURL                   string `json:"target_url"`
		}
	}
	s.person(t, "GET", "/commits/"+commit+"/status?per_page=100", nil, &combined)
	var out []forge.Status
	for _, st := range combined.Statuses {
		out = append(out, forge.Status{Context: st.Context, State: st.State, Description: st.Description, URL: st.TargetURL})
	}
	return out
}

func (s *site) checks(t *testing.T, commit string) []forge.Status {
	var list struct {
		Runs []struct {
			ID                       int64
			Name, Status, Conclusion string
			DetailsURL               string `json:"details_url"`
			Output                   struct{ Title, Summary string }
		} `json:"check_runs"`
	}
	s.person(t, "GET", "/commits/"+commit+"/check-runs?filter=all&per_page=100", nil, &list)
	slices.SortFunc(list.Runs, func(a, b struct {
		ID                       int64
		Name, Status, Conclusion string
		DetailsURL               string `json:"details_url"`
		Output                   struct{ Title, Summary string }
	}) int {
		return int(a.ID - b.ID)
	})
	newest := map[string]forge.Status{}
	for _, r := range list.Runs {
		st := forge.Status{Context: r.Name, State: r.Conclusion, Description: r.Output.Title}
		if r.Status != "completed" {
			st.State = "pending"
		}
		if st.Description == r.Name { // there was none
			st.Description = ""
		}
		if r.DetailsURL != "" && strings.HasPrefix(r.DetailsURL, "https://example.org/") {
			st.URL = r.DetailsURL
		}
		newest[r.Name] = st
	}
	var out []forge.Status
	for _, st := range newest {
		out = append(out, st)
	}
	return out
}

func (s *site) deployments(t *testing.T, environment string) []forge.Deployment {
	var list []struct {
		ID               int64
		SHA, Environment string
		Payload          struct{ Driftback string }
	}
	s.person(t, "GET", "/deployments?per_page=100&environment="+url.QueryEscape(environment), nil, &list)
	var out []forge.Deployment
	for _, d := range list {
		if d.Environment != environment { // the word none filters nothing
			continue
		}
		var states []struct {
			ID                 int64
			State, Description string
			LogURL             string `json:"log_url"`
		}
		s.person(t, "GET", fmt.Sprintf("/deployments/%d/statuses?per_page=100", d.ID), nil, &states)
		to := forge.Deployment{ID: d.Payload.Driftback, Environment: d.Environment, Commit: d.SHA}
		newest := int64(0)
		for _, st := range states {
			if st.ID > newest {
				newest, to.State, to.Description, to.URL = st.ID, st.State, st.Description, st.LogURL
			}
		}
		out = append(out, to)
	}
	return out
}

// The suite, signed in as an app and with a token.
func TestForge(t *testing.T) {
	t.Parallel()
	for who, app := range map[string]bool{"app": true, "token": false} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			forgetest.Run(t, func(t *testing.T) forgetest.Fixture {
				return newSite(t, githubtest.Options{}).fixture(t, app)
			})
		})
	}
}
