package githubtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// obj is a JSON object.
type obj = map[string]any

// A handler answers one operation. What it returns is the body; a *reply says more. It is called with the server locked.
type handler struct {
	need string // a permission that an App must have: pull_requests=write. "": metadata, which every App has
	run  func(*call) (any, error)
}

// A reply is an answer that is not the operation's usual one.
type reply struct {
	status int
	header http.Header
	body   any
}

// A refusal is an answer that says no.
type refusal struct {
	status int
	body   obj
	header http.Header
}

func (f *refusal) Error() string { return fmt.Sprint(f.status, " ", f.body["message"]) }

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, body: obj{
		"message": fmt.Sprintf(format, args...), "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status),
	}}
}

func notFound() *refusal { return refuse(http.StatusNotFound, "Not Found") }

// invalid is GitHub's 422 about one field. Code is missing, missing_field, invalid, already_exists or custom, which has a message.
func invalid(resource, field, code, message string) *refusal {
	f := refuse(http.StatusUnprocessableEntity, "Validation Failed")
	e := obj{"resource": resource, "code": code}
	if field != "" {
		e["field"] = field
	}
	if message != "" {
		e["message"] = message
	}
	f.body["errors"] = []any{e}
	return f
}

// A call is one request of the API that is being answered.
type call struct {
	*Server
	r      *http.Request
	rt     *route
	params map[string]string
	query  url.Values
	body   []byte
	who    *credential // nil: nobody
	repo   *Repo       // of operations below /repos/
	header http.Header // of the answer
}

// A Request is one that the server got.
type Request struct {
	Method, Path string
	Op           string // pulls/create, "graphql", "git" or "" for what the API does not have
	Status       int    // 0: the answer was lost
	Who          string // login, or "" for nobody
}

// Requests returns what was asked of the API and of GraphQL until now, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Count returns how often each operation was asked for until now. Answers "304 Not Modified" are counted under the
// operation's name with " 304" after it: they cost nothing.
func (s *Server) Count() map[string]int {
	n := map[string]int{}
	for _, r := range s.Requests() {
		op := r.Op
		if r.Status == http.StatusNotModified {
			op += " 304"
		}
		n[op]++
	}
	return n
}

// Writes returns how many requests until now were no reads, without those for a token.
func (s *Server) Writes() int {
	n := 0
	for _, r := range s.Requests() {
		if r.Method != http.MethodGet && r.Op != "apps/create-installation-access-token" && r.Op != "git" {
			n++
		}
	}
	return n
}

const maxRequest = 25 << 20 // bytes

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request, path string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
		return
	}
	if path == "" {
		path = "/"
	}
	rt, params := find(r.Method, path)
	c := &call{Server: s, r: r, rt: rt, params: params, query: r.URL.Query(), body: body, header: http.Header{}}
	op := ""
	if rt != nil {
		op = rt.id
	}
	fault := s.fault(op)
	spoilt := fault.wait()
	var answer reply
	if !spoilt || fault.Late {
		answer = c.answer()
	}
	if spoilt {
		answer = fault.reply()
	}
	s.note(Request{Method: r.Method, Path: path, Op: op, Status: answer.status, Who: c.who.login()})
	if answer.status == 0 {
		drop(w)
		return
	}
	write(w, answer)
}

// answer does what the request asks for.
func (c *call) answer() reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	who, err := c.authenticate(c.r)
	c.who = who
	if c.rt == nil {
		c.violate(c.r.Method+" "+c.r.URL.Path, "the description's part that is answered here has no such operation")
		return c.finish(reply{}, notFound())
	}
	if err != nil {
		return c.finish(reply{}, err)
	}
	in, wrong := checkRequest(c.rt, c.params, c.r, c.body)
	c.violate(c.rt.id, wrong...)
	if err := c.meter(); err != nil {
		return c.finish(reply{}, err)
	}
	var out any
	if err = c.permit(); err == nil {
		out, err = c.rt.run.run(c)
	}
	answer, ok := out.(*reply)
	if !ok || answer == nil {
		answer = &reply{status: c.rt.status, body: out}
	}
	done := c.finish(*answer, err)
	raw, _ := done.body.([]byte)
	c.violate(c.rt.id, checkAnswer(in, done.status, done.header, raw)...)
	return c.conditional(done)
}

// finish makes the body bytes and adds the headers.
func (c *call) finish(a reply, err error) reply {
	a.header = mergeHeader(c.header, a.header)
	if err != nil {
		f, ok := err.(*refusal)
		if !ok {
			f = refuse(http.StatusInternalServerError, "%v", err)
		}
		a = reply{status: f.status, body: f.body, header: mergeHeader(a.header, f.header)}
	}
	if a.status == http.StatusNoContent || a.body == nil {
		a.body = []byte(nil)
	} else if _, ok := a.body.([]byte); !ok {
		a.body = encode(a.body)
		a.header.Set("Content-Type", "application/json; charset=utf-8")
	}
	c.meterHeader(a.header)
	a.header.Set("X-GitHub-Request-Id", fmt.Sprintf("%04X:%d", len(c.requests), c.lastID))
	a.header.Set("X-GitHub-Enterprise-Version", "3.19.0")
	return a
}

func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // of our own maps: a mistake in this package
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

func mergeHeader(a, b http.Header) http.Header {
	out := http.Header{}
	for _, h := range []http.Header{a, b} {
		for k, v := range h {
			out[k] = v
		}
	}
	return out
}

func write(w http.ResponseWriter, a reply) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
	body, _ := a.body.([]byte)
	_, _ = w.Write(body)
}

// decode reads the body into v.
func (c *call) decode(v any) error {
	if len(c.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, v); err != nil {
		return refuse(http.StatusBadRequest, "Problems parsing JSON")
	}
	return nil
}

// number returns a path parameter that is a number; no such thing where it is none.
func (c *call) number(name string) int64 {
	n, err := strconv.ParseInt(c.params[name], 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// page returns the part of a list that was asked for and sets the Link header
// (GitHub Docs, Using pagination in the REST API): 30 a page, at most 100.
func page[T any](c *call, all []T) []T {
	size := positive(c.query.Get("per_page"), 30)
	size = min(size, 100)
	n := positive(c.query.Get("page"), 1)
	last := max((len(all)+size-1)/size, 1)
	var links []string
	link := func(rel string, n int) {
		q := c.r.URL.Query()
		q.Set("page", strconv.Itoa(n))
		links = append(links, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, c.URL, c.r.URL.EscapedPath(), q.Encode(), rel))
	}
	if n > 1 {
		link("prev", n-1)
	}
	if n < last {
		link("next", n+1)
		link("last", last)
	}
	if n > 1 {
		link("first", 1)
	}
	if len(links) > 0 {
		c.header.Set("Link", strings.Join(links, ", "))
	}
	from := min((n-1)*size, len(all))
	return all[from:min(from+size, len(all))]
}

func positive(s string, otherwise int) int {
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// list renders the page of a list that was asked for.
func list[T any](c *call, all []T, render func(T) obj) []obj {
	out := []obj{}
	for _, x := range page(c, all) {
		out = append(out, render(x))
	}
	return out
}

func (s *Server) note(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
}

// drop ends the connection without an answer.
func drop(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}
