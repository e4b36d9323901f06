package simulator

import (
	"net/http"
	"path"
	"strings"
	"time"
)

// A Fault is something that goes wrong on request. Its zero value does nothing.
type Fault struct {
	Org    string // name of the organisation that it concerns; "" means all
	Method string // of the requests that it concerns; "" means any
	Path   string // their path, with * for a part of it; "" means any; a trailing /** any rest
	Skip   int    // as many requests go well before
	Times  int    // as many requests are concerned; 0 means all
	Share  int    // of 100 requests as many are concerned, drawn from the seed; 0 means all

	Status     int           // answered instead of doing anything
	Body       string        // of that answer; "" means an error body of the platform's shape
	RetryAfter int           // seconds, in the header of that answer
	Delay      time.Duration // before anything is done
	Cut        bool          // the connection is cut before anything is done
	Lost       bool          // everything is done, and then the connection is cut
	Shift      int           // pages after the first one start as many objects later (or earlier) than they should
}

type fault struct {
	Fault
	seen, done int
}

// Fail adds a fault and returns a function that takes it back.
func (s *Server) Fail(f Fault) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &fault{Fault: f}
	s.faults = append(s.faults, n)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, x := range s.faults {
			if x == n {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
				return
			}
		}
	}
}

// Heal takes all faults back.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault is what goes wrong with a request; an empty one where nothing does. s.mu is held.
func (s *Server) fault(r *http.Request) *Fault {
	for _, f := range s.faults {
		if !f.concerns(r) || f.Org != "" && f.Org != s.orgOf(r) || f.Times > 0 && f.done >= f.Times {
			continue
		}
		if f.seen++; f.seen <= f.Skip {
			continue
		}
		if f.Share > 0 && s.uint()%100 >= uint64(f.Share) {
			continue
		}
		f.done++
		out := f.Fault
		return &out
	}
	return &Fault{}
}

// orgOf is the name of the organisation whose token a request has. s.mu is held.
func (s *Server) orgOf(r *http.Request) string {
	if t := s.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]; t != nil {
		return t.org.Name
	}
	return ""
}

func (f *fault) concerns(r *http.Request) bool {
	if f.Method != "" && f.Method != r.Method {
		return false
	}
	if f.Path == "" || f.Path == r.URL.Path {
		return true
	}
	if rest, ok := strings.CutSuffix(f.Path, "/**"); ok {
		return strings.HasPrefix(r.URL.Path, rest+"/") || r.URL.Path == rest
	}
	ok, err := path.Match(f.Path, r.URL.Path)
	return ok && err == nil
}

// before does what goes wrong before the request is looked at; false means that nothing is left to do.
func (f *Fault) before(w http.ResponseWriter, r *http.Request) bool {
	if f.Delay > 0 {
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			return false
		}
	}
	if f.Cut {
		panic(http.ErrAbortHandler)
	}
	if f.Status == 0 {
		return true
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", itoa(f.RetryAfter))
	}
	if f.Body != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(f.Status)
		_, _ = w.Write([]byte(f.Body))
		return false
	}
	(&problem{status: f.Status, code: "internal.server.error", message: "The request could not be processed."}).write(w, "")
	return false
}
