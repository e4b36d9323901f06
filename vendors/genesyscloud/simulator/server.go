package simulator

import (
	"cmp"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options choose how the platform behaves. The zero value is one that is always
// consistent and permits 300 requests a minute for each token, as the platform does.
type Options struct {
	// Now is the platform's clock; nil means time.Now.
	Now func() time.Time
	// Seed of ids, tokens and delays: equal seeds and equal requests give equal answers.
	Seed uint64
	// Rate is how many requests a minute a token may make; 0 means 300, less than 0 any number.
	Rate int
	// TokenTTL is how long a token is valid; 0 means 24 hours less a second.
	TokenTTL time.Duration
	// ListLag is the longest time for which listings show what was there before a write, ReadLag the same for
	// reading by id. Each write draws its own time from the seed.
	ListLag, ReadLag time.Duration
	// AuditLag is how long an audit record takes to appear.
	AuditLag time.Duration
	// JobTime is how long the jobs of flows and of the audit query take.
	JobTime time.Duration
	// StillParts says that an object does not show when what is kept apart from it changes, as the wrap-up codes of a queue:
	// the contract leaves that open.
	StillParts bool
	// Control offers the control endpoint, to clients on loopback only.
	Control bool
	// Log gets a line for each request, on level debug; nil means no log.
	Log *slog.Logger
}

// A Server is one region of the platform with its organisations. Its methods may
// be called concurrently; mu owns everything below it.
type Server struct {
	o        Options
	kinds    map[string]*kind
	order    []*kind // in the order of the tables, for whatever goes through all of them
	api      *http.ServeMux
	pages    *http.ServeMux
	fields   fieldTable
	patterns []string // of the API, as METHOD path

	mu       sync.Mutex
	rng      *rand.Rand
	drawn    uint64 // how many numbers rng has given, so that a loaded state goes on where it was
	orgs     map[string]*Org
	tokens   map[string]*token
	windows  map[string]*window
	faults   []*fault
	uploads  map[string]*job // by the secret part of their presigned URL
	channels map[string]*channel
	calls    map[string]int
}

// New returns a server without organisations.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Rate = cmp.Or(o.Rate, 300)
	o.TokenTTL = cmp.Or(o.TokenTTL, 24*time.Hour-time.Second)
	s := &Server{
		o: o, rng: rand.New(rand.NewPCG(o.Seed, 0)), // #nosec G404 -- a simulator repeats itself
		orgs: map[string]*Org{}, tokens: map[string]*token{}, windows: map[string]*window{},
		uploads: map[string]*job{}, channels: map[string]*channel{}, calls: map[string]int{},
	}
	s.kinds, s.order = kinds()
	s.fields = readFields()
	s.api, s.pages = s.routes(), s.pageRoutes()
	return s
}

// ServeHTTP answers the public API, the login, presigned URLs, notification
// channels and the administrator's pages.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch p := r.URL.Path; {
	case p == "/oauth/token" || p == "/login/oauth/token":
		s.login(w, r)
	case strings.HasPrefix(p, "/api/v2/"):
		s.serveAPI(w, r)
	case strings.HasPrefix(p, "/signed/"):
		s.serveSigned(w, r)
	case strings.HasPrefix(p, "/channels/"):
		s.serveChannel(w, r)
	case strings.HasPrefix(p, "/control/") && s.o.Control:
		s.serveControl(w, r)
	default:
		s.pages.ServeHTTP(w, r)
	}
}

// uint draws a number. s.mu is held.
func (s *Server) uint() uint64 {
	s.drawn++
	return s.rng.Uint64()
}

// uuid draws an id. s.mu is held.
func (s *Server) uuid() string {
	var b [16]byte
	for i, v := range [2]uint64{s.uint(), s.uint()} {
		for j := range 8 {
			b[8*i+j] = byte(v >> (8 * j)) // #nosec G115 -- one byte of it
		}
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// within draws a time in (0, most]. s.mu is held.
func (s *Server) within(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return time.Duration(s.uint()%uint64(most)) + 1 // #nosec G115 -- less than most, which is a duration
}

// stamp writes a time as the platform does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
