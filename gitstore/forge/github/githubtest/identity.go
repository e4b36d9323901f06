package githubtest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// An Account is a person, an organisation or an App's robot.
type Account struct {
	Login string
	ID    int64
	Name  string
	Email string // public; "": kept private
	Type  string // User, Organization or Bot
}

type org struct {
	account *Account
	members map[string]bool // logins
	teams   map[string]*team
}

type team struct {
	id      int64
	slug    string
	members map[string]bool
	repos   map[string]string // full name: role
}

// The roles that people have on a repository, the weakest first.
var roles = []string{"none", "read", "triage", "write", "maintain", "admin"}

func atLeast(role, want string) bool { return slices.Index(roles, role) >= slices.Index(roles, want) }

// A credential is what a request is made with.
type credential struct {
	account *Account
	token   string
	fine    map[string]string // permissions of an App or of a fine-grained token; nil: those of the person
	app     *App              // of an App's JWT and of its installations
	jwt     bool
	install *Installation
	expires time.Time // zero: never
}

func (c *credential) login() string {
	switch {
	case c == nil:
		return ""
	case c.account == nil:
		return c.app.Slug
	}
	return c.account.Login
}

// User adds a person. Email may be empty: many keep theirs private.
func (s *Server) User(login, name, email string) *Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addUser(login, name, email, "User")
}

func (s *Server) addUser(login, name, email, kind string) *Account {
	if a := s.users[strings.ToLower(login)]; a != nil {
		return a
	}
	a := &Account{Login: login, ID: s.id(), Name: name, Email: email, Type: kind}
	s.users[strings.ToLower(login)] = a
	return a
}

// Org adds an organisation with members.
func (s *Server) Org(login string, members ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orgs[login]
	if o == nil {
		o = &org{account: s.addUser(login, login, "", "Organization"), members: map[string]bool{}, teams: map[string]*team{}}
		s.orgs[login] = o
	}
	for _, m := range members {
		o.members[s.addUser(m, m, "", "User").Login] = true
	}
}

// Team adds a team to an organisation, or members to it.
func (s *Server) Team(login, slug string, members ...string) {
	s.Org(login, members...)
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.orgs[login].teams[slug]
	if t == nil {
		t = &team{id: s.id(), slug: slug, members: map[string]bool{}, repos: map[string]string{}}
		s.orgs[login].teams[slug] = t
	}
	for _, m := range members {
		t.members[m] = true
	}
}

// Token returns a personal access token of a person. With permissions ("pull_requests=write") it is a
// fine-grained one that has only these.
func (s *Server) Token(login string, permissions ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &credential{account: s.addUser(login, login, "", "User"), token: fmt.Sprintf("ghp_%036d", s.id())}
	if len(permissions) > 0 {
		c.fine = map[string]string{"metadata": "read"}
		for _, p := range permissions {
			name, level, _ := strings.Cut(p, "=")
			c.fine[name] = level
		}
	}
	s.tokens[c.token] = c
	return c.token
}

// Revoke makes a token invalid from now on: 401 Bad credentials. "" revokes all of an installation's.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.tokens, func(k string, c *credential) bool { return k == token || token == "" && c.install != nil })
}

func badCredentials() *refusal { return refuse(http.StatusUnauthorized, "Bad credentials") }

// authenticate returns who makes a request: by "Authorization: Bearer TOKEN", "token TOKEN", or by a token as
// the password of Basic. Nobody is no error.
func (s *Server) authenticate(r *http.Request) (*credential, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, nil
	}
	secret := ""
	if user, password, ok := r.BasicAuth(); ok {
		if secret = password; secret == "" || secret == "x-oauth-basic" {
			secret = user
		}
	} else {
		kind, rest, _ := strings.Cut(header, " ")
		if k := strings.ToLower(kind); k == "bearer" || k == "token" {
			secret = strings.TrimSpace(rest)
		}
	}
	if strings.Count(secret, ".") == 2 {
		return s.verifyJWT(secret)
	}
	c := s.tokens[secret]
	if c == nil || !c.expires.IsZero() && !s.o.Now().Before(c.expires) {
		return nil, badCredentials()
	}
	return c, nil
}

// role returns what an account may do on a repository.
func (r *Repo) role(login string) string {
	best := r.people[login]
	if best == "" {
		best = "none"
	}
	if o := r.s.orgs[r.Owner]; o != nil {
		for _, t := range o.teams {
			if role := t.repos[r.Full()]; role != "" && t.members[login] && atLeast(role, best) {
				best = role
			}
		}
	}
	if strings.EqualFold(login, r.Owner) {
		best = "admin"
	}
	if best == "none" && !r.Private {
		best = "read"
	}
	return best
}

// sees reports whether a credential may know of a repository.
func (c *credential) sees(r *Repo) bool {
	switch {
	case c == nil:
		return !r.Private
	case c.install != nil:
		return c.install.has(r) || !r.Private
	case c.account == nil:
		return false
	}
	return r.role(c.account.Login) != "none"
}

// permit finds the repository of a request and refuses who may not do what it asks for.
func (c *call) permit() error {
	need := c.rt.run.need
	if need == "jwt" {
		if c.who == nil || !c.who.jwt {
			return refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
		}
		if c.params["repo"] == "" {
			return nil
		}
		c.repo = c.repos[strings.ToLower(c.params["owner"]+"/"+c.params["repo"])]
		return nil
	}
	if c.who != nil && c.who.jwt {
		return badCredentials()
	}
	if c.params["repo"] != "" {
		c.repo = c.repos[strings.ToLower(c.params["owner"]+"/"+c.params["repo"])]
		if c.repo == nil || !c.who.sees(c.repo) {
			return notFound()
		}
	}
	if need == "" {
		return nil
	}
	if c.who == nil {
		if c.r.Method == http.MethodGet && c.repo != nil {
			return nil
		}
		return refuse(http.StatusUnauthorized, "Requires authentication")
	}
	return c.allowed(need)
}

// allowed checks one of the permissions "issues=write; pull_requests=write", each of which is enough.
// After a comma stands the role that a person needs: "issues=write,read".
func (c *call) allowed(need string) error {
	need, role, _ := strings.Cut(need, ",")
	var level string
	for one := range strings.SplitSeq(need, "; ") {
		var name string
		name, level, _ = strings.Cut(one, "=")
		if have := c.who.fine[name]; have == "write" || have == "admin" || have == level {
			level = ""
			break
		}
	}
	if c.who.fine != nil && level != "" {
		by := "integration"
		if c.who.app == nil {
			by = "personal access token"
		}
		f := refuse(http.StatusForbidden, "Resource not accessible by %s", by)
		f.header = http.Header{"X-Accepted-Github-Permissions": {need}}
		return f
	}
	if c.who.app != nil || c.repo == nil {
		return nil
	}
	if role == "" {
		_, role, _ = strings.Cut(need, "=")
	}
	if strings.HasPrefix(need, "administration") || strings.HasPrefix(need, "repository_hooks") {
		role = "admin"
	}
	if !atLeast(c.repo.role(c.who.account.Login), role) {
		return refuse(http.StatusForbidden, "Must have %s access to the repository.", role)
	}
	return nil
}
