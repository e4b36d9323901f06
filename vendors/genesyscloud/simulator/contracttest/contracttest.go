// Package contracttest holds what a client and the simulator say to each other against the description of the platform's public API
// that is read from the vendor's own client (testdata/openapi.json beside it). It knows neither of them.
package contracttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"
)

// Checked is a server whose every request and answer is validated.
type Checked struct {
	s      http.Handler
	router routers.Router

	mu    sync.Mutex
	found []string
}

var (
	mu        sync.Mutex
	routersOf = map[string]routers.Router{}
)

// described reads a description, once.
func described(t testing.TB, path string) routers.Router {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if r := routersOf[path]; r != nil {
		return r
	}
	d, err := openapi3.NewLoader().LoadFromFile(path)
	require.NoError(t, err)
	d.Servers = openapi3.Servers{{URL: "/"}}
	r, err := gorillamux.NewRouter(d)
	require.NoError(t, err)
	routersOf[path] = r
	return r
}

// New returns a server that asks h, and holds what is said against the description in the file.
func New(t testing.TB, h http.Handler, path string) *Checked {
	t.Helper()
	return &Checked{s: h, router: described(t, path)}
}

// Violations are requests that were granted and answers that were given though the description has them otherwise.
func (c *Checked) Violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.found
}

func (c *Checked) violate(r *http.Request, what string, err error) {
	line := strings.Join(strings.Fields(err.Error()), " ")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found = append(c.found, fmt.Sprintf("%s %s: %s: %.400s", r.Method, r.URL.Path, what, line))
}

// ServeHTTP implements http.Handler.
func (c *Checked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/api/v2/") {
		c.s.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.violate(r, "body", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		rec := httptest.NewRecorder()
		c.s.ServeHTTP(rec, r)
		if rec.Code < 400 {
			c.violate(r, "no such operation", err)
		}
		reply(w, rec)
		return
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true, IncludeResponseStatus: true, ExcludeRequestBody: len(body) == 0,
	}}
	invalid := openapi3filter.ValidateRequest(context.Background(), in)
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := httptest.NewRecorder()
	c.s.ServeHTTP(rec, r)
	if invalid != nil && rec.Code < 400 {
		c.violate(r, "request", invalid)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: rec.Code, Header: rec.Header(), Options: in.Options}
	out.SetBodyBytes(rec.Body.Bytes())
	if rec.Body.Len() > 0 {
		if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
			c.violate(r, "answer", err)
		}
	}
	reply(w, rec)
}

func reply(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}
