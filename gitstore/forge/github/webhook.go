package github

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	gh "github.com/google/go-github/v60/github"
)

// An Event is a hint that something happened. It may be lost, late, doubled or made up by who knows the secret:
// nothing is done because of it but to look.
type Event struct {
	Kind   string // push, pull_request, issue_comment, …
	Action string // opened, closed, created, …
	Branch string // that a push moved, without refs/heads/
	Base   string // branch that the pull request is to be merged into, where told
	Pull   int
	// Head is the commit of which somebody asks for the checks again; empty for other events.
	Head string
}

// HookOptions of a Hook. Without a secret every delivery is refused.
type HookOptions struct {
	Secrets     []string // any of them may have signed: two while one replaces the other
	Owner, Repo string   // events of other repositories are left alone
	// Own reports whether an account is our own: what we did ourselves is no news.
	Own func(login string) bool
	// Wake takes a hint. It must not block.
	Wake func(Event)
	// OnDelivery hears of every delivery: its event, one of a known set or other, and what became of it.
	OnDelivery func(event, result string)
	Logger     *slog.Logger // default discards
}

// A Hook is the address that GitHub delivers webhooks to. It reads a bounded body,
// checks the signature, gives a hint and answers, all at once and without asking anybody.
type Hook struct {
	o    HookOptions
	room chan struct{} // tokens of bodies that may be in memory at a time

	mu   sync.Mutex // guards what follows
	seen map[string]bool
	ring []string // the deliveries of seen, oldest first from at on
	at   int
}

const (
	// MaxDelivery bounds the body of a delivery, in bytes. GitHub sends up to 25 MB, of which a hint needs little: what is
	// larger is refused, and polling finds it.
	MaxDelivery = 5 << 20
	maxRoom     = 8    // deliveries read at a time
	maxSeenIDs  = 4096 // deliveries remembered
	maxGUID     = 64   // bytes of a delivery's id
)

// The results of a delivery.
const (
	Accepted  = "accepted"
	Ignored   = "ignored"   // good, and no news
	Duplicate = "duplicate" // delivered before
	Forged    = "forged"    // not signed with the secret
	TooLarge  = "too_large"
	Malformed = "malformed"
	Refused   = "refused" // no secret is configured
	Busy      = "busy"
)

// NewHook returns a Hook.
func NewHook(o HookOptions) *Hook {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.OnDelivery == nil {
		o.OnDelivery = func(string, string) {}
	}
	return &Hook{o: o, room: make(chan struct{}, maxRoom), seen: map[string]bool{}}
}

// ServeHTTP implements http.Handler.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	result, code, why := h.take(w, r)
	event := knownEvent(gh.WebHookType(r))
	h.o.OnDelivery(event, result)
	if code >= http.StatusBadRequest {
		h.o.Logger.Warn("webhook delivery refused", "event", event, "result", result, "reason", why)
		http.Error(w, why, code)
		return
	}
	h.o.Logger.Debug("webhook delivery", "event", event, "result", result)
	w.WriteHeader(code)
}

func (h *Hook) take(w http.ResponseWriter, r *http.Request) (result string, code int, why string) {
	switch {
	case r.Method != http.MethodPost:
		return Malformed, http.StatusMethodNotAllowed, "deliveries are posted"
	case len(h.o.Secrets) == 0:
		return Refused, http.StatusForbidden, "no webhook secret is configured"
	case r.ContentLength > MaxDelivery:
		return TooLarge, http.StatusRequestEntityTooLarge, "too large"
	case r.Header.Get(gh.SHA256SignatureHeader) == "":
		return Forged, http.StatusUnauthorized, "not signed"
	}
	select {
	case h.room <- struct{}{}:
		defer func() { <-h.room }()
	default:
		return Busy, http.StatusServiceUnavailable, "busy"
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxDelivery))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return TooLarge, http.StatusRequestEntityTooLarge, "too large"
	case err != nil:
		return Malformed, http.StatusBadRequest, "the body ended early"
	}
	payload, ok := h.verified(r, body)
	if !ok {
		return Forged, http.StatusUnauthorized, "the signature is not of our secret"
	}
	id := gh.DeliveryID(r)
	if id == "" || len(id) > maxGUID {
		return Malformed, http.StatusBadRequest, "no delivery id"
	}
	e, wanted, err := h.read(gh.WebHookType(r), payload)
	switch {
	case err != nil:
		return Malformed, http.StatusBadRequest, "the payload is no JSON object"
	case !h.first(id):
		return Duplicate, http.StatusOK, ""
	case !wanted:
		return Ignored, http.StatusOK, ""
	}
	h.o.Wake(e)
	return Accepted, http.StatusAccepted, ""
}

// verified returns the payload of a body that one of the secrets signed.
func (h *Hook) verified(r *http.Request, body []byte) ([]byte, bool) {
	for _, secret := range h.o.Secrets {
		if secret == "" {
			continue
		}
		signed := &http.Request{Header: r.Header, Body: io.NopCloser(strings.NewReader(string(body)))}
		if payload, err := gh.ValidatePayload(signed, []byte(secret)); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// first notes a delivery and reports whether it had not been noted before.
func (h *Hook) first(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen[id] {
		return false
	}
	h.seen[id] = true
	if len(h.ring) < maxSeenIDs {
		h.ring = append(h.ring, id)
		return true
	}
	delete(h.seen, h.ring[h.at])
	h.ring[h.at] = id
	h.at = (h.at + 1) % maxSeenIDs
	return true
}

// news are the events that are worth a look, with their actions; nil for all.
var news = map[string][]string{
	"push":                      nil,
	"create":                    nil,
	"delete":                    nil,
	"pull_request":              {"opened", "reopened", "synchronize", "closed", "edited", "ready_for_review", "converted_to_draft"},
	"pull_request_review":       {"submitted", "dismissed"},
	"issue_comment":             {"created"},
	"check_run":                 {"rerequested", "requested_action"},
	"check_suite":               {"rerequested"},
	"installation":              nil,
	"installation_repositories": nil,
}

// Events are those that an app or a webhook subscribes to, sorted; GitHub sends those of installations unasked.
func Events() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(news)), func(e string) bool { return strings.HasPrefix(e, "installation") })
}

// knownEvent is an event as a metric's label: there are few.
func knownEvent(kind string) string {
	if _, ok := news[kind]; ok || kind == "ping" {
		return kind
	}
	return "other"
}

// read returns the hint of a payload, and whether it is one for us.
func (h *Hook) read(kind string, payload []byte) (Event, bool, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(payload, &raw); err != nil {
		return Event{}, false, err
	}
	var ref string
	var repo struct {
		FullName string `json:"full_name"`
	}
	var sender struct{ Login string }
	var pull struct {
		Number int
		Base   struct{ Ref string }
	}
	var issue struct{ Number int }
	var checked struct {
		HeadSHA string `json:"head_sha"`
	}
	e := Event{Kind: kind}
	for name, v := range map[string]any{
		"action": &e.Action, "ref": &ref, "repository": &repo, "sender": &sender, "pull_request": &pull, "issue": &issue, "check_run": &checked, "check_suite": &checked,
	} {
		// What is not of the form that we know is no reason to refuse a delivery: it is only a hint.
		_ = json.Unmarshal(raw[name], v)
	}
	e.Pull, e.Base = max(pull.Number, issue.Number), pull.Base.Ref
	switch kind {
	case "push":
		e.Branch = strings.TrimPrefix(ref, "refs/heads/")
	case "create", "delete":
		e.Branch = ref
	case "check_run", "check_suite":
		if e.Action == "rerequested" && commitID.MatchString(checked.HeadSHA) {
			e.Head = checked.HeadSHA
		}
	}
	actions, known := news[kind]
	wanted := known && (actions == nil || slices.Contains(actions, e.Action)) &&
		(repo.FullName == "" || strings.EqualFold(repo.FullName, h.o.Owner+"/"+h.o.Repo)) &&
		(h.o.Own == nil || sender.Login == "" || !h.o.Own(sender.Login))
	return e, wanted, nil
}
