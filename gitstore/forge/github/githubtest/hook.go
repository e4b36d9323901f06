package githubtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Hook is where events are sent: of a repository or of an App.
type Hook struct {
	ID     int64
	URL    string
	Secret string   // signs; "": unsigned
	Events []string // push, pull_request, …; "*" for all
	// Fate decides what becomes of a delivery; nil: it is sent once. It is called with the server locked.
	Fate func(Delivery) Fate

	repo       *Repo
	app        *App
	active     bool
	created    time.Time
	deliveries []*Delivery // oldest first
	held       []*Delivery
}

// A Fate is what becomes of a delivery on its way.
type Fate int

// The fates. What is lost is listed as failed, and can be asked for again.
const (
	Send Fate = iota
	Lose
	Twice
	Hold // until Release
)

// A Delivery is one event on its way to a hook.
type Delivery struct {
	ID           int64
	GUID         string // X-GitHub-Delivery; the same when it is delivered again
	Event        string
	Action       string
	Payload      []byte
	Redelivery   bool
	At           time.Time
	Status       int // of the receiver's answer; 0: none, or not yet
	Installation int64
	RepositoryID int64
	hook         *Hook
}

// Hook makes the repository send events to an address.
func (r *Repo) Hook(h Hook) *Hook {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	h.ID, h.repo, h.active, h.created = r.s.id(), r, true, r.s.now()
	r.hooks = append(r.hooks, &h)
	return &h
}

// SetHook makes the App send the events of all repositories that it is installed on to an address.
func (a *App) SetHook(h Hook) *Hook {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	h.ID, h.app, h.active, h.created = a.s.id(), a, true, a.s.now()
	a.Hook = &h
	return &h
}

// Sign returns the value of X-Hub-Signature-256 for a payload
// (GitHub Docs, Validating webhook deliveries).
func Sign(secret string, payload []byte) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write(payload)
	return "sha256=" + hex.EncodeToString(m.Sum(nil))
}

// NewDelivery returns the request by which a payload is delivered, signed where there is a secret.
func NewDelivery(url, event, guid, secret string, payload []byte) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(payload))
	if err != nil {
		return nil, fmt.Errorf("delivery of %s: %w", event, err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "GitHub-Hookshot/githubtest")
	r.Header.Set("X-GitHub-Event", event)
	r.Header.Set("X-GitHub-Delivery", guid)
	r.Header.Set("X-GitHub-Enterprise-Version", "3.19.0")
	if secret != "" {
		r.Header.Set("X-Hub-Signature-256", Sign(secret, payload))
	}
	return r, nil
}

// heard reports whether somebody would be told of an event: what nobody hears is not put together.
func (r *Repo) heard() bool {
	if len(r.hooks) > 0 {
		return true
	}
	for _, app := range r.s.apps {
		if app.Hook != nil {
			return true
		}
	}
	return false
}

// emit sends an event to the hooks of the repository and of the Apps that are installed on it and may know.
func (r *Repo) emit(event string, by *Account, payload obj) {
	s := r.s
	payload["repository"], payload["sender"] = s.fullRepoJSON(r), s.userJSON(by)
	if o := s.orgs[r.Owner]; o != nil {
		payload["organization"] = s.orgJSON(o)
	}
	for _, h := range r.hooks {
		h.send(event, payload, 0)
	}
	for _, app := range s.apps {
		for _, i := range app.installs {
			if app.Hook == nil || !i.has(r) || i.suspended {
				continue
			}
			with := obj{"installation": obj{"id": i.ID, "node_id": node("I", i.ID)}}
			for k, v := range payload {
				with[k] = v
			}
			app.Hook.send(event, with, i.ID)
		}
	}
}

func (h *Hook) server() *Server {
	if h.repo != nil {
		return h.repo.s
	}
	return h.app.s
}

func (h *Hook) send(event string, payload obj, installation int64) {
	if !h.active || !slices.Contains(h.Events, "*") && !slices.Contains(h.Events, event) && event != "ping" {
		return
	}
	s := h.server()
	action, _ := payload["action"].(string)
	d := &Delivery{
		ID: s.id(), GUID: fmt.Sprintf("00000000-0000-4000-8000-%012d", s.id()), Event: event, Action: action, Payload: encode(payload), At: s.now(),
		Installation: installation, hook: h,
	}
	if repo, ok := payload["repository"].(obj); ok {
		d.RepositoryID, _ = repo["id"].(int64)
	}
	h.deliveries = append(h.deliveries, d)
	fate := Send
	if h.Fate != nil {
		fate = h.Fate(*d)
	}
	switch fate {
	case Send:
		s.post.take(d)
	case Twice:
		s.post.take(d)
		s.post.take(d)
	case Hold:
		h.held = append(h.held, d)
	}
}

// Release sends what was held, the newest first.
func (h *Hook) Release() {
	s := h.server()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range slices.Backward(h.held) {
		s.post.take(d)
	}
	h.held = nil
}

// SetFate makes all deliveries from now on have this fate.
func (h *Hook) SetFate(f Fate) {
	s := h.server()
	s.mu.Lock()
	defer s.mu.Unlock()
	h.Fate = func(Delivery) Fate { return f }
}

// Deliveries returns what the hook was to send, oldest first.
func (h *Hook) Deliveries() []Delivery {
	s := h.server()
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Delivery
	for _, d := range h.deliveries {
		all = append(all, *d)
	}
	return all
}

// Replay sends a delivery again exactly as it was, which GitHub never does by itself: somebody who listened might.
func (h *Hook) Replay(d Delivery) {
	h.server().post.take(&d)
	h.server().Flush()
}

// Flush waits until all deliveries on their way have been answered.
func (s *Server) Flush() { s.post.flush() }

// A postman delivers one after the other, in a goroutine that he owns, as the order of events is part of what is tested.
type postman struct {
	client http.Client
	mu     sync.Mutex
	ready  *sync.Cond
	queue  []*Delivery
	busy   bool
	ended  bool
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
}

func newPostman() *postman {
	p := &postman{client: http.Client{Timeout: 10 * time.Second}, done: make(chan struct{})}
	p.ready = sync.NewCond(&p.mu)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	go p.work()
	return p
}

func (p *postman) take(d *Delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, d)
	p.ready.Broadcast()
}

func (p *postman) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for (len(p.queue) > 0 || p.busy) && !p.ended {
		p.ready.Wait()
	}
}

func (p *postman) stop() {
	p.mu.Lock()
	p.ended = true
	p.ready.Broadcast()
	p.mu.Unlock()
	p.cancel()
	<-p.done
	p.client.CloseIdleConnections()
}

func (p *postman) work() {
	defer close(p.done)
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.ended {
		if len(p.queue) == 0 {
			p.ready.Wait()
			continue
		}
		d := p.queue[0]
		p.queue, p.busy = p.queue[1:], true
		p.mu.Unlock()
		p.deliver(d)
		p.mu.Lock()
		p.busy = false
		p.ready.Broadcast()
	}
}

func (p *postman) deliver(d *Delivery) {
	status := 0
	if r, err := NewDelivery(d.hook.URL, d.Event, d.GUID, d.hook.Secret, d.Payload); err == nil {
		if res, err := p.client.Do(r.WithContext(p.ctx)); err == nil {
			status = res.StatusCode
			_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
			_ = res.Body.Close()
		}
	}
	s := d.hook.server()
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Status = status
}

// The operations on hooks: of a repository, and of an App that shows its JWT.

func (c *call) hook() (*Hook, error) {
	if c.repo == nil {
		if c.who.app.Hook == nil {
			return nil, notFound()
		}
		return c.who.app.Hook, nil
	}
	id := c.number("hook_id")
	for _, h := range c.repo.hooks {
		if h.ID == id {
			return h, nil
		}
	}
	return nil, notFound()
}

func listHooks(c *call) (any, error) { return list(c, c.repo.hooks, c.hookJSON), nil }

func getHook(c *call) (any, error) {
	h, err := c.hook()
	if err != nil {
		return nil, err
	}
	return c.hookJSON(h), nil
}

func createHook(c *call) (any, error) {
	var ask struct {
		Config struct{ URL, Secret string }
		Events []string
		Active *bool
	}
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(ask.Config.URL, "http") {
		return nil, invalid("Hook", "url", "missing_field", "")
	}
	if ask.Events == nil {
		ask.Events = []string{"push"}
	}
	h := &Hook{ID: c.id(), URL: ask.Config.URL, Secret: ask.Config.Secret, Events: ask.Events, repo: c.repo, active: true, created: c.now()}
	set(&h.active, ask.Active)
	c.repo.hooks = append(c.repo.hooks, h)
	c.ping(h)
	return c.hookJSON(h), nil
}

func (c *call) ping(h *Hook) {
	h.send("ping", obj{"zen": "Keep it logically awesome.", "hook_id": h.ID, "hook": c.hookJSON(h), "repository": c.fullRepoJSON(c.repo), "sender": c.userJSON(c.who.account)}, 0)
}

func pingHook(c *call) (any, error) {
	h, err := c.hook()
	if err != nil {
		return nil, err
	}
	c.ping(h)
	return nil, nil
}

func deleteHook(c *call) (any, error) {
	h, err := c.hook()
	if err != nil {
		return nil, err
	}
	c.repo.hooks = slices.DeleteFunc(c.repo.hooks, func(x *Hook) bool { return x == h })
	return nil, nil
}

// listDeliveries pages by cursor (GitHub Docs, List deliveries for an app webhook): newest first.
func listDeliveries(c *call) (any, error) {
	h, err := c.hook()
	if err != nil {
		return nil, err
	}
	size := min(positive(c.query.Get("per_page"), 30), 100)
	cursor := c.query.Get("cursor")
	out := []obj{}
	skipping := cursor != ""
	for _, d := range slices.Backward(h.deliveries) {
		if skipping && cursor != "v1_"+itoa(d.ID) {
			continue
		}
		skipping = false
		if len(out) == size {
			q := c.r.URL.Query()
			q.Set("cursor", "v1_"+itoa(d.ID))
			c.header.Set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next"`, c.URL, c.r.URL.EscapedPath(), q.Encode()))
			break
		}
		out = append(out, c.deliveryJSON(d, false))
	}
	return out, nil
}

func (c *call) delivery() (*Hook, *Delivery, error) {
	h, err := c.hook()
	if err != nil {
		return nil, nil, err
	}
	id := c.number("delivery_id")
	for _, d := range h.deliveries {
		if d.ID == id {
			return h, d, nil
		}
	}
	return nil, nil, notFound()
}

func getDelivery(c *call) (any, error) {
	_, d, err := c.delivery()
	if err != nil {
		return nil, err
	}
	return c.deliveryJSON(d, true), nil
}

// redeliver sends a delivery again: a new one with the old GUID. After three days GitHub has forgotten it.
func redeliver(c *call) (any, error) {
	h, d, err := c.delivery()
	if err != nil {
		return nil, err
	}
	if c.now().Sub(d.At) > 72*time.Hour {
		return nil, refuse(http.StatusUnprocessableEntity, "Delivery is too old to be redelivered")
	}
	again := *d
	again.ID, again.Redelivery, again.At, again.Status = c.id(), true, c.now(), 0
	h.deliveries = append(h.deliveries, &again)
	c.post.take(&again)
	return obj{}, nil
}

func (s *Server) deliveryJSON(d *Delivery, full bool) obj {
	text := "OK"
	if d.Status < 200 || d.Status > 299 {
		text = "failed to connect to host"
		if d.Status > 0 {
			text = "Invalid HTTP Response: " + itoa(int64(d.Status))
		}
	}
	o := obj{
		"id": d.ID, "guid": d.GUID, "delivered_at": stamp(d.At), "redelivery": d.Redelivery, "duration": 0.1, "status": text, "status_code": d.Status,
		"event": d.Event, "action": orNull(d.Action), "installation_id": zeroNull(d.Installation), "repository_id": zeroNull(d.RepositoryID), "throttled_at": nil,
	}
	if full {
		o["url"] = d.hook.URL
		o["request"] = obj{"headers": obj{"X-GitHub-Event": d.Event, "X-GitHub-Delivery": d.GUID}, "payload": json.RawMessage(d.Payload)}
		o["response"] = obj{"headers": nil, "payload": nil}
	}
	return o
}

func (s *Server) hookJSON(h *Hook) obj {
	url := s.repoURL(h.repo, "/hooks/"+itoa(h.ID))
	return obj{
		"type": "Repository", "id": h.ID, "name": "web", "active": h.active, "events": h.Events,
		"config":     obj{"url": h.URL, "content_type": "json", "insecure_ssl": "0", "secret": "********"},
		"updated_at": stamp(h.created), "created_at": stamp(h.created), "url": url, "test_url": url + "/test", "ping_url": url + "/pings",
		"deliveries_url": url + "/deliveries", "last_response": obj{"code": nil, "status": "unused", "message": nil},
	}
}
