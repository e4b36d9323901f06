package githubtest

import (
	"net/http"
	"strconv"
	"time"
)

// A Fault makes the server answer otherwise than it should. The zero Fault loses the answer.
type Fault struct {
	Op    string // of which operation, as in Request.Op; "": of any
	Skip  int    // so many requests go well first
	Times int    // how many requests; 0: one; negative: all that follow
	// Late does what is asked for before the answer is spoilt: the client does not learn that it was done.
	Late bool
	// Status is answered in place of the answer; 0: the connection ends without one.
	Status int
	// RetryAfter is answered in seconds, with 403 or 429: a secondary limit.
	RetryAfter time.Duration
	Message    string // of the answer; "": what GitHub says with that status
	Pass       bool   // the answer is the usual one: only Before is called
	// Before is called first, without the server's lock: to wait, or to change something meanwhile.
	Before func()
}

// Fail makes requests fail as f says, after the faults that were asked for before.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults = append(s.faults, &f)
}

// SecondaryLimit is a Fault as GitHub's secondary rate limits answer: 403 or 429, and when to come again.
func SecondaryLimit(status int, after time.Duration) Fault {
	return Fault{Status: status, RetryAfter: after,
		Message: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
}

// Heal takes back what faults are left, and returns how many there were.
func (s *Server) Heal() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.faults)
	s.faults = nil
	return n
}

// fault takes the next fault of an operation, nil for none.
func (s *Server) fault(op string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Op != "" && f.Op != op {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times--; f.Times == 0 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		return f
	}
	return nil
}

// wait calls what comes first, and reports whether the answer is to be spoilt.
func (f *Fault) wait() (spoilt bool) {
	if f != nil && f.Before != nil {
		f.Before()
	}
	return f != nil && !f.Pass
}

func (f *Fault) reply() reply {
	if f.Status == 0 {
		return reply{}
	}
	message := f.Message
	if message == "" {
		message = http.StatusText(f.Status)
	}
	no := refuse(f.Status, "%s", message)
	h := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
		no.body["documentation_url"] = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
	}
	return reply{status: f.Status, header: h, body: encode(no.body)}
}
