package githubtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An App is a GitHub App. Its key is the same for all Apps of a process: making one takes long.
type App struct {
	ID          int64
	Slug        string
	Owner       string
	Permissions map[string]string
	Hook        *Hook // nil: none

	s        *Server
	installs []*Installation
}

// An Installation is an App's on an account, for all of its repositories.
type Installation struct {
	ID      int64
	App     *App
	Account string
	// Permissions that the account's owner agreed to; nil: the App's.
	Permissions map[string]string
	suspended   bool
}

// DefaultPermissions are what driftback's App asks for, and no more: what needs another is refused.
func DefaultPermissions() map[string]string {
	return map[string]string{
		"metadata": "read", "contents": "write", "pull_requests": "write", "issues": "write", "checks": "write",
		"deployments": "write", "members": "read",
	}
}

// App adds a GitHub App; nil permissions are the DefaultPermissions.
func (s *Server) App(slug, owner string, permissions map[string]string) *App {
	s.mu.Lock()
	defer s.mu.Unlock()
	if permissions == nil {
		permissions = DefaultPermissions()
	}
	s.addUser(owner, owner, "", "User")
	a := &App{ID: s.id(), Slug: slug, Owner: owner, Permissions: permissions, s: s}
	s.addUser(slug+"[bot]", "", "", "Bot")
	s.apps[a.ID] = a
	return a
}

// Install installs the App on an account; nil permissions are the App's.
func (a *App) Install(account string, permissions map[string]string) *Installation {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	i := &Installation{ID: a.s.id(), App: a, Account: account, Permissions: permissions}
	a.installs = append(a.installs, i)
	return i
}

// Uninstall takes the App off the account: its tokens end, and another installation has another id.
func (i *Installation) Uninstall() {
	i.App.s.mu.Lock()
	defer i.App.s.mu.Unlock()
	i.App.installs = slices.DeleteFunc(i.App.installs, func(is *Installation) bool { return is == i })
	maps.DeleteFunc(i.App.s.tokens, func(_ string, c *credential) bool { return c.install == i })
}

// Suspend makes the installation refuse tokens, or grant them again.
func (i *Installation) Suspend(suspended bool) {
	i.App.s.mu.Lock()
	defer i.App.s.mu.Unlock()
	i.suspended = suspended
}

// Token returns a token of the installation, as if it had been asked for.
func (i *Installation) Token() string {
	i.App.s.mu.Lock()
	defer i.App.s.mu.Unlock()
	return i.token(nil).token
}

func (i *Installation) has(r *Repo) bool { return strings.EqualFold(i.Account, r.Owner) }

func (i *Installation) permissions() map[string]string {
	if i.Permissions != nil {
		return i.Permissions
	}
	return i.App.Permissions
}

func (i *Installation) token(only map[string]string) *credential {
	s := i.App.s
	fine := maps.Clone(i.permissions())
	if only != nil {
		fine = only
	}
	c := &credential{
		account: s.users[i.App.Slug+"[bot]"], token: fmt.Sprintf("ghs_%036d", s.id()), fine: fine,
		app: i.App, install: i, expires: s.now().Add(s.o.TokenLife),
	}
	s.tokens[c.token] = c
	return c
}

var appKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// Key is the App's private key, in PEM (PKCS #1) as GitHub hands it out.
func (a *App) Key() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(appKey())})
}

// verifyJWT returns the App that signed a token (GitHub Docs, Generating a JSON Web Token for a GitHub App).
// Its times may be right by the server's clock or by the machine's: some clients know only that one.
func (s *Server) verifyJWT(token string) (*credential, error) {
	parts := strings.Split(token, ".")
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(&appKey().PublicKey, crypto.SHA256, sum[:], sig) != nil {
		return nil, refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
	}
	var head struct{ Alg string }
	var claims struct {
		Iss      json.RawMessage
		Iat, Exp float64
	}
	if !decodePart(parts[0], &head) || !decodePart(parts[1], &claims) || head.Alg != "RS256" {
		return nil, refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
	}
	app := s.apps[issuer(claims.Iss)]
	if app == nil {
		return nil, refuse(http.StatusNotFound, "Integration not found")
	}
	for _, now := range []time.Time{s.o.Now(), time.Now()} {
		t := float64(now.Unix())
		if claims.Iat <= t+60 && claims.Exp > t && claims.Exp <= t+600+60 {
			return &credential{app: app, jwt: true}, nil
		}
	}
	return nil, refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires, at most ten minutes")
}

func decodePart(s string, v any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil && json.Unmarshal(raw, v) == nil
}

func issuer(raw json.RawMessage) int64 {
	n, _ := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	return n
}

func (c *call) installation(id int64) (*Installation, error) {
	for _, i := range c.who.app.installs {
		if i.ID == id {
			return i, nil
		}
	}
	return nil, notFound()
}

func getApp(c *call) (any, error) { return c.appJSON(c.who.app), nil }

func getInstallation(c *call) (any, error) {
	i, err := c.installation(c.number("installation_id"))
	if err != nil {
		return nil, err
	}
	return c.installationJSON(i), nil
}

func getRepoInstallation(c *call) (any, error) {
	for _, i := range c.who.app.installs {
		if c.repo != nil && i.has(c.repo) {
			return c.installationJSON(i), nil
		}
	}
	return nil, notFound()
}

func listInstallations(c *call) (any, error) {
	return list(c, c.who.app.installs, c.installationJSON), nil
}

func createInstallationToken(c *call) (any, error) {
	i, err := c.installation(c.number("installation_id"))
	if err != nil {
		return nil, err
	}
	if i.suspended {
		return nil, refuse(http.StatusForbidden, "This installation has been suspended")
	}
	var ask struct{ Permissions map[string]string }
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	for name, level := range ask.Permissions {
		if have := i.permissions()[name]; have == "" || have == "read" && level != "read" {
			return nil, refuse(http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.")
		}
	}
	t := i.token(ask.Permissions)
	return obj{
		"token": t.token, "expires_at": stamp(t.expires), "permissions": t.fine, "repository_selection": "all",
	}, nil
}

func listInstallationRepos(c *call) (any, error) {
	if c.who == nil || c.who.install == nil {
		return nil, refuse(http.StatusForbidden, "You must authenticate with an installation access token in order to list repositories for an installation.")
	}
	var all []*Repo
	for _, name := range slices.Sorted(maps.Keys(c.repos)) {
		if c.who.install.has(c.repos[name]) {
			all = append(all, c.repos[name])
		}
	}
	return obj{"total_count": len(all), "repository_selection": "all", "repositories": list(c, all, c.fullRepoJSON)}, nil
}

func (s *Server) appJSON(a *App) obj {
	return obj{
		"id": a.ID, "slug": a.Slug, "node_id": node("A", a.ID), "client_id": fmt.Sprintf("Iv1.%016d", a.ID),
		"owner": s.userJSON(s.users[strings.ToLower(a.Owner)]), "name": a.Slug, "description": "", "external_url": "https://example.org",
		"html_url": s.html("apps/%s", a.Slug), "created_at": stamp(s.now()), "updated_at": stamp(s.now()),
		"permissions": a.Permissions, "events": a.events(), "installations_count": len(a.installs),
	}
}

func (a *App) events() []string {
	if a.Hook == nil {
		return []string{}
	}
	if slices.Contains(a.Hook.Events, "*") {
		return []string{"check_run", "deployment", "deployment_status", "issue_comment", "pull_request", "pull_request_review", "push", "status"}
	}
	return a.Hook.Events
}

func (s *Server) installationJSON(i *Installation) obj {
	account := s.users[strings.ToLower(i.Account)]
	o := obj{
		"id": i.ID, "account": s.userJSON(account), "repository_selection": "all", "app_id": i.App.ID, "app_slug": i.App.Slug,
		"access_tokens_url": s.api("app/installations/%d/access_tokens", i.ID), "repositories_url": s.api("installation/repositories"),
		"html_url": s.html("organizations/%s/settings/installations/%d", i.Account, i.ID), "target_id": account.ID, "target_type": account.Type,
		"permissions": i.permissions(), "events": i.App.events(), "created_at": stamp(s.now()), "updated_at": stamp(s.now()),
		"single_file_name": nil, "suspended_by": nil, "suspended_at": nil,
	}
	if i.suspended {
		o["suspended_at"] = stamp(s.now())
	}
	return o
}
