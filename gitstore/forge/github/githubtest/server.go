package githubtest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options of a Server. The zero value works.
type Options struct {
	Now       func() time.Time // the server's clock; nil: the machine's
	Limit     int              // requests an hour of one identity; 0: 5000, GitHub's own
	TokenLife time.Duration    // of an installation's token; 0: one hour, GitHub's own
	// Unknown is how many times a pull request's mergeability is "not known yet" after a change of its branches.
	Unknown int
}

// A Server is a stand-in for GitHub Enterprise: its API below URL/api/v3, Git at URL/OWNER/NAME.git.
type Server struct {
	URL string // http://127.0.0.1:PORT, without a slash at the end

	t       testing.TB
	o       Options
	dir     string
	backend string // git http-backend
	http    *httptest.Server
	post    *postman

	mu         sync.Mutex // of everything below
	lastID     int64
	users      map[string]*Account // by lower-case login
	orgs       map[string]*org
	repos      map[string]*Repo // by lower-case owner/name
	apps       map[int64]*App
	tokens     map[string]*credential
	meters     map[string]*meter
	faults     []*Fault
	requests   []Request
	violations []violation
	excused    []violation
	documents  []string // sent to GraphQL
}

// New starts a server that ends with the test. Then the test fails if a request or an answer was not what
// GitHub's description says.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Limit == 0 {
		o.Limit = 5000
	}
	if o.TokenLife == 0 {
		o.TokenLife = time.Hour
	}
	s := &Server{
		t: t, o: o, dir: t.TempDir(), users: map[string]*Account{}, orgs: map[string]*org{}, repos: map[string]*Repo{},
		apps: map[int64]*App{}, tokens: map[string]*credential{}, meters: map[string]*meter{},
	}
	out, err := gitCommand("", "--exec-path").Output()
	if err != nil {
		t.Fatalf("git --exec-path: %v", err)
	}
	s.backend = strings.TrimSpace(string(out)) + "/git-http-backend"
	s.post = newPostman()
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	t.Cleanup(s.close)
	return s
}

func (s *Server) close() {
	s.post.stop()
	s.http.CloseClientConnections()
	s.http.Close()
	for _, v := range s.Violations() {
		s.t.Errorf("not what GitHub's description says: %s", v)
	}
}

// API is the address that clients of the REST API are given: URL/api/v3/.
func (s *Server) API() string { return s.URL + "/api/v3/" }

// Violations returns what was not as GitHub's description says, without what is tolerated.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, v := range s.violations {
		all = append(all, v.String())
	}
	return all
}

// Excuse lets requests of an operation violate the description with a text that holds part: for tests that do so on purpose.
func (s *Server) Excuse(op, part string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.excused = append(s.excused, violation{op, part})
}

// violate notes what is wrong with a request or an answer of an operation.
func (s *Server) violate(op string, texts ...string) {
	for _, text := range texts {
		if !slices.ContainsFunc(tolerated, func(t tolerance) bool { return t.op == op && strings.Contains(text, t.text) }) &&
			!slices.ContainsFunc(s.excused, func(v violation) bool { return v.op == op && strings.Contains(text, v.text) }) {
			s.violations = append(s.violations, violation{op, text})
		}
	}
}

// ServeHTTP answers the API, GraphQL and Git.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.EscapedPath(); {
	case strings.HasPrefix(path, "/api/v3/") || path == "/api/v3":
		s.serveAPI(w, r, strings.TrimPrefix(path, "/api/v3"))
	case path == "/api/graphql":
		s.serveGraphQL(w, r)
	default:
		s.serveGit(w, r)
	}
}

func (s *Server) now() time.Time { return s.o.Now().UTC().Truncate(time.Second) }

// id returns a number that nothing else on the server has.
func (s *Server) id() int64 {
	s.lastID++
	return s.lastID
}

func (s *Server) html(format string, args ...any) string {
	return s.URL + "/" + fmt.Sprintf(format, args...)
}
func (s *Server) api(format string, args ...any) string {
	return s.URL + "/api/v3/" + fmt.Sprintf(format, args...)
}

func unescape(s string) (string, error) { return url.PathUnescape(s) }
