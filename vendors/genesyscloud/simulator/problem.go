package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// A problem is an error answer.
type problem struct {
	status  int
	code    string
	message string
	header  [2]string
}

func bad(format string, args ...any) *problem {
	return &problem{status: http.StatusBadRequest, code: "bad.request", message: fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) *problem {
	return &problem{status: http.StatusConflict, code: "general.conflict", message: fmt.Sprintf(format, args...)}
}

func notFound(what, id string) *problem {
	return &problem{status: http.StatusNotFound, code: "not.found", message: fmt.Sprintf("The requested %s was not found: %s", what, id)}
}

func mismatch(status int, sent, current any) *problem {
	code := "general.conflict"
	if status == http.StatusBadRequest {
		code = "invalid.update.wrong.version"
	}
	return &problem{status: status, code: code, message: fmt.Sprintf("The version of the update, %v, does not match the current version, %v", sent, current)}
}

func (p *problem) write(w http.ResponseWriter, correlation string) {
	if p.header[0] != "" {
		w.Header().Set(p.header[0], p.header[1])
	}
	writeJSON(w, p.status, map[string]any{
		"message": p.message, "code": p.code, "status": p.status, "messageParams": map[string]any{},
		"contextId": correlation, "details": []any{}, "errors": []any{},
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	if v == nil {
		w.WriteHeader(status)
		return
	}
	if text, ok := v.(plainText); ok {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text)) // as below
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that went away needs no answer
}
