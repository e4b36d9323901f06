package simulator

import (
	"io"
	"net"
	"net/http"
	"time"
)

// serveControl is for those who cannot call Fail: POST /control/faults adds a fault, DELETE /control/faults
// takes all back, GET /control/calls counts. It answers to loopback only.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() || r.Header.Get("Origin") != "" {
		http.Error(w, "loopback only", http.StatusForbidden)
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "POST /control/faults":
		var f Fault
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		var sent struct {
			Method, Path                                        string
			Skip, Times, Share, Status, RetryAfter, Shift, Wait int // Wait in milliseconds
			Body                                                string
			Cut, Lost                                           bool
		}
		if err := decode(b, &sent); err != nil {
			http.Error(w, "not a fault: "+err.Error(), http.StatusBadRequest)
			return
		}
		f = Fault{
			Method: sent.Method, Path: sent.Path, Skip: sent.Skip, Times: sent.Times, Share: sent.Share, Status: sent.Status, RetryAfter: sent.RetryAfter,
			Shift: sent.Shift, Body: sent.Body, Cut: sent.Cut, Lost: sent.Lost, Delay: time.Duration(sent.Wait) * time.Millisecond,
		}
		s.Fail(f)
		w.WriteHeader(http.StatusNoContent)
	case "DELETE /control/faults":
		s.Heal()
		w.WriteHeader(http.StatusNoContent)
	case "GET /control/calls":
		writeJSON(w, http.StatusOK, s.Calls())
	default:
		http.NotFound(w, r)
	}
}
