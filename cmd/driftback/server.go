package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Scrapes and probes are small: who is slower than this is not one.
const (
	requestTimeout  = 10 * time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 5 * time.Second
)

// serve listens on addr and returns the address that it got and a function that
// ends it gracefully. The word off listens nowhere.
func serve(addr string, h http.Handler, log *slog.Logger) (net.Addr, func(), error) {
	if addr == "off" {
		return nil, func() {}, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: requestTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    1 << 16,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("listener ended", "err", err)
		}
	}()
	return l.Addr(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			log.Warn("listener closed with requests open", "err", err)
			_ = s.Close()
		}
		<-done
	}, nil
}

// handler answers /metrics, /livez and /readyz.
func handler(g prometheus.Gatherer, r *readiness) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, probe{Status: "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		p := r.probe()
		if p.Status == "ok" {
			answer(w, http.StatusOK, p)
			return
		}
		answer(w, http.StatusServiceUnavailable, p)
	})
	return mux
}

// A probe is the body of /livez and /readyz.
type probe struct {
	Status string `json:"status"` // ok or waiting
	// Reasons say why not, by environment.
	Reasons map[string]string `json:"reasons,omitempty"`
}

func answer(w http.ResponseWriter, code int, p probe) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(p) // who hung up needs no answer
}

// A readiness knows which environments have had their first pass. It is ready
// once all have, and stays so: that a platform is away is for the metrics to tell,
// not a reason to restart the daemon. It is safe for concurrent use.
type readiness struct {
	mu      sync.Mutex
	waiting map[string]string // reason by environment
}

const notYet = "the first pass has not ended yet"

// expect sets the environments that there are. What has been passed stays so.
func (r *readiness) expect(envs []string, passed func(string) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = map[string]string{}
	for _, e := range envs {
		if !passed(e) {
			r.waiting[e] = notYet
		}
	}
}

// passed notes that a pass over env ended; failure is empty where it ended well.
func (r *readiness) passed(env, failure string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, waits := r.waiting[env]; !waits {
		return
	}
	if failure == "" {
		delete(r.waiting, env)
		return
	}
	r.waiting[env] = failure
}

func (r *readiness) probe() probe {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 {
		return probe{Status: "ok"}
	}
	return probe{Status: "waiting", Reasons: maps.Clone(r.waiting)}
}
