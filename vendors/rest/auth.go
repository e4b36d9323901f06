package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/driftback/driftback/vendors"
)

// A tokens keeps one access token by OAuth2 client credentials (RFC 6749 §4.4), and
// asks for the next one before the old one ends: when a tenth of its life is left, but no earlier than 5 minutes before.
type tokens struct {
	auth  Auth
	clock vendors.Clock
	// send posts the form and returns status and body.
	send func(ctx context.Context, r *http.Request) (*Answer, error)

	mu    sync.Mutex
	token string
	renew time.Time
}

// get returns a token that is not bad, which is one that the platform has just refused or "".
func (t *tokens) get(ctx context.Context, bad string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != "" && t.token != bad && t.clock.Now().Before(t.renew) {
		return t.token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.auth.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	r.SetBasicAuth(url.QueryEscape(t.auth.ClientID), url.QueryEscape(t.auth.ClientSecret))
	a, err := t.send(ctx, r)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	var got struct {
		Token string `json:"access_token"`
		Life  int64  `json:"expires_in"` // seconds
	}
	if err := json.Unmarshal(a.Body, &got); err != nil || got.Token == "" {
		return "", fmt.Errorf("token: the answer holds none")
	}
	life := time.Duration(min(max(got.Life, 0), 1<<31)) * time.Second
	if got.Life <= 0 {
		life = time.Hour
	}
	t.token, t.renew = got.Token, t.clock.Now().Add(life-min(life/10, 5*time.Minute))
	return t.token, nil
}

// hide returns the text without the token.
func (t *tokens) hide(text string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return conceal(text, t.token)
}

// hide returns the text without the secrets of the configuration.
func (a Auth) hide(text string) string {
	text = conceal(text, a.ClientSecret)
	for _, values := range a.Header {
		for _, v := range values {
			text = conceal(text, v)
		}
	}
	return text
}

func conceal(text, secret string) string {
	if len(secret) < 4 {
		return text
	}
	return strings.ReplaceAll(text, secret, "[secret]")
}
