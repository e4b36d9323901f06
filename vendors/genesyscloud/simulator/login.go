package simulator

import (
	"crypto/subtle"
	"net/http"
	"strings"
	"time"
)

// A token is what a client got for its secret.
type token struct {
	org     *Org
	client  *client
	expires time.Time
}

// login is the OAuth client credentials grant.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	act := s.fault(r)
	s.mu.Unlock()
	if !act.before(w, r) {
		return
	}
	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "client_credentials" {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_request", "description": "grant_type must be client_credentials"})
		return
	}
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.orgs {
		c := o.Clients[id]
		if c == nil || subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) != 1 {
			continue
		}
		t := s.uuid() + s.uuid()
		s.tokens[t] = &token{org: o, client: c, expires: s.o.Now().Add(s.o.TokenTTL)}
		writeJSON(w, http.StatusOK, map[string]any{"access_token": t, "token_type": "bearer", "expires_in": int(s.o.TokenTTL / time.Second)})
		return
	}
	writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_client", "description": "client not found or secret wrong", "error_description": "client not found or secret wrong"})
}

// authenticate finds the token of a request. s.mu is held.
func (s *Server) authenticate(r *http.Request) (*token, *problem) {
	name, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(name, "bearer") || value == "" {
		return nil, &problem{status: http.StatusUnauthorized, code: "authentication.required", message: "No authentication bearer token specified in authorization header."}
	}
	t := s.tokens[value]
	if t == nil || !s.o.Now().Before(t.expires) {
		delete(s.tokens, value)
		return nil, &problem{status: http.StatusUnauthorized, code: "bad.credentials", message: "Invalid login credentials."}
	}
	return t, nil
}

// permits says whether the client may do it: a permission is domain:entity:verb.
func (c *client) permits(permission string) bool {
	if c.Permissions == nil {
		return true
	}
	want := strings.Split(permission, ":")
	for _, p := range c.Permissions {
		have, ok := strings.Split(p, ":"), true
		for i := range want {
			ok = ok && i < len(have) && (have[i] == "*" || have[i] == want[i])
		}
		if ok {
			return true
		}
	}
	return false
}
