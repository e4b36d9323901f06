package simulator

import (
	"fmt"
	"net/http"
	"time"
)

// A window counts the requests of one token, or of one client for its peak.
type window struct {
	start time.Time   // of the minute that the limit is counted in
	count int         // in that minute
	times []time.Time // of the last 60 s, oldest first
	peak  int         // the most that times ever held
}

// admit counts a request of the token; the limit is of the minute that begins with the
// first request after the last one ended. s.mu is held.
func (s *Server) admit(value string, c *client) *problem {
	now := s.o.Now()
	w := s.windows[value]
	if w == nil {
		w = &window{}
		s.windows[value] = w
	}
	if now.Sub(w.start) >= time.Minute {
		w.start, w.count = now, 0
	}
	w.count++
	if s.o.Rate > 0 && w.count > s.o.Rate {
		wait := w.start.Add(time.Minute).Sub(now)
		seconds := int((wait + time.Second - 1) / time.Second)
		return &problem{
			status: http.StatusTooManyRequests, code: "too.many.requests", header: [2]string{"Retry-After", fmt.Sprint(seconds)},
			message: fmt.Sprintf("Rate limit exceeded the maximum. Retry the request in [%d] seconds", seconds),
		}
	}
	s.peak(c.ID, now)
	return nil
}

func (s *Server) peak(client string, now time.Time) {
	w := s.windows["client "+client]
	if w == nil {
		w = &window{}
		s.windows["client "+client] = w
	}
	w.times = append(w.times, now)
	from := 0
	for now.Sub(w.times[from]) >= time.Minute {
		from++
	}
	w.times = w.times[from:]
	w.peak = max(w.peak, len(w.times))
}

// Peak is the largest number of requests that a client made in any 60 seconds and that were not refused
// for their number.
func (s *Server) Peak(clientID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.windows["client "+clientID]; w != nil {
		return w.peak
	}
	return 0
}

// Calls is how many requests there were, by "METHOD pattern" and by "status NNN"; "" is their sum.
// Logins and presigned URLs are not among them.
func (s *Server) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int, len(s.calls))
	for k, v := range s.calls {
		out[k] = v
	}
	return out
}
