package rest

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// Options are what differs from tenant to tenant. BaseURL is needed; the rest may be zero.
type Options struct {
	// BaseURL is scheme, host and what every path begins with: https://api.mypurecloud.ie. Nothing
	// is ever sent to another host, except to Auth's TokenURL.
	BaseURL string
	Auth    Auth

	// Kinds are managed; nil means all that are not opt-in. Those that they refer to are looked up by name.
	Kinds []resource.Kind
	// OptIn names opt-in kinds and parts (KIND.FIELD) that are managed besides.
	OptIn []string
	// Partition tells apart what the credentials show: divisions, permissions.
	Partition string

	// PerMinute is the budget, in requests in any 60 s; 0 or more than the platform permits means what that permits.
	PerMinute int
	// Timeout is for one request, until its answer is read; 0 means 30 s.
	Timeout time.Duration
	// MaxAnswer bounds an answer's size in bytes; 0 means 64 MiB.
	MaxAnswer int64
	// MaxTries bounds how often a request is sent that is safe to repeat; 0 means 5.
	MaxTries int
	// NamesEvery is how old the names of kinds that are only referred to may grow; 0 means 15 minutes.
	NamesEvery time.Duration
	// FullEvery is how old the last complete listing may grow while the platform's own record of changes
	// (PlatformHooks.Changes) is read instead; 0 lists every time.
	FullEvery time.Duration
	// PartsEvery is how old what was read of an object's parts may grow while nothing shows that they moved; 0 reads parts
	// that have no Moved with every listing.
	PartsEvery time.Duration
	// MaxMissing bounds how many objects of a kind that a listing lacks are asked for by id; beyond it the kind was
	// not read. 0 means 100.
	MaxMissing int

	Transport http.RoundTripper // nil means one of the engine's own
	Clock     vendors.Clock     // nil means the system's
	Jitter    func() float64    // uniform in [0, 1); nil means math/rand
	Logger    *slog.Logger      // nil means silence
	// OnRequest hears of every request that was sent: what for (list, get, create, update, delete, token, …), the
	// status of the answer (0 where none came), and how long it took.
	OnRequest func(operation string, status int, took time.Duration)
}

// Auth says how requests are authorized: by OAuth2 client credentials where TokenURL is set, else by
// Header, which may be empty.
type Auth struct {
	TokenURL     string
	ClientID     string
	ClientSecret string
	Header       http.Header
}
