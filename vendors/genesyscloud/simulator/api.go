package simulator

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// maxBody is how much a request may send.
const maxBody = 4 << 20

// A call is one authenticated request; s.mu is held as long as it lives.
type call struct {
	s     *Server
	org   *Org
	by    actor
	app   *client
	r     *http.Request
	query url.Values
	body  any // what was sent, nil without a body
	shift int
	base  string // of absolute URLs in answers
}

// An answer is what a call returns; a nil body is no content, and plainText is sent as it is.
type answer struct {
	status int
	body   any
}

type plainText string

type handler func(*call) (answer, *problem)

// handle adds a handler with the permission that it asks for.
func (s *Server) handle(m *http.ServeMux, pattern, permission string, h handler) {
	s.patterns = append(s.patterns, pattern)
	m.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		c := r.Context().Value(callKey{}).(*call)
		c.r = r
		s.calls[pattern]++
		a, p := answer{}, (*problem)(nil)
		if permission != "" && !c.app.permits(permission) {
			p = &problem{status: http.StatusForbidden, code: "missing.permissions", message: "Unable to perform the requested action. You are missing the following permission(s): " + permission}
		} else {
			a, p = h(c)
		}
		if p != nil {
			p.write(w, "")
			return
		}
		writeJSON(w, a.status, a.body)
	})
}

type callKey struct{}

// A recorder keeps an answer until it is sent.
type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(code int)        { r.code = code }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// serveAPI does what is the same for every request and passes it on. The answer is written into memory
// first, so that a slow client holds no lock and a lost answer is lost after everything was done.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		(&problem{status: http.StatusRequestEntityTooLarge, code: "request.too.large", message: "The request is too large."}).write(w, "")
		return
	}
	s.mu.Lock()
	f := s.fault(r)
	s.mu.Unlock()
	if !f.before(w, r) {
		return
	}
	rec := &recorder{header: http.Header{}, code: http.StatusOK}
	began := s.o.Now()
	s.answer(rec, r, body, f)
	if f.Lost {
		panic(http.ErrAbortHandler)
	}
	for k, v := range rec.header {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.code)
	_, _ = w.Write(rec.body.Bytes())
	s.o.Log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", rec.code, "took", s.o.Now().Sub(began).Round(time.Microsecond))
}

func (s *Server) answer(w *recorder, r *http.Request, body []byte, f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	correlation := s.uuid()
	w.Header().Set("ININ-Correlation-Id", correlation)
	s.calls[""]++
	defer func() { s.calls["status "+itoa(w.code)]++ }()
	t, p := s.authenticate(r)
	if p == nil {
		p = s.admit(r.Header.Get("Authorization"), t.client)
	}
	if p != nil {
		p.write(w, correlation)
		return
	}
	c := &call{s: s, org: t.org, app: t.client, by: actor{ID: t.client.ID, Name: t.client.Name}, query: r.URL.Query(), shift: f.Shift, base: base(r)}
	if len(bytes.TrimSpace(body)) > 0 {
		if err := decode(body, &c.body); err != nil {
			bad("The request body is not JSON: %v", err).write(w, correlation)
			return
		}
	}
	s.api.ServeHTTP(w, r.WithContext(withCall(r.Context(), c)))
}

// base is how the client reaches this server.
func base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// object is the request's body where it must be an object.
func (c *call) object() (map[string]any, *problem) {
	m, ok := c.body.(map[string]any)
	if !ok {
		return nil, bad("The request body must be an object")
	}
	return withoutNull(cloneMap(m)).(map[string]any), nil
}

// array is the request's body where it must be a list of at most most elements.
func (c *call) array(most int) ([]any, *problem) {
	l, ok := c.body.([]any)
	if !ok {
		return nil, bad("The request body must be a list")
	}
	if len(l) > most {
		return nil, bad("The request body has %d elements, at most %d are permitted", len(l), most)
	}
	return clone(l).([]any), nil
}

// number is a number of the query.
func (c *call) number(name string, otherwise, least, most int) (int, *problem) {
	v := c.query.Get(name)
	if v == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		return 0, bad("%s must be a number from %d to %d, not %q", name, least, most, v)
	}
	return n, nil
}

func ok(body any) (answer, *problem) { return answer{http.StatusOK, body}, nil }

func none() (answer, *problem) { return answer{http.StatusNoContent, nil}, nil }
