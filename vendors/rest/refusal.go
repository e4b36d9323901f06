package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/driftback/driftback/vendors"
)

// ErrMissing says that the platform has no such object.
var ErrMissing = fmt.Errorf("not there")

// A Refusal is an answer that is no success. It is one of vendors.ErrConflict, vendors.ErrDenied,
// vendors.ErrInvalid and ErrMissing for errors.Is, or of none where trying again may help.
type Refusal struct {
	Status  int
	Message string // the platform's, bounded, on one line, without our credentials
	class   error
}

// Error gives the status and the platform's message.
func (r *Refusal) Error() string {
	text := fmt.Sprintf("%d %s", r.Status, strings.ToLower(http.StatusText(r.Status)))
	if r.Message != "" {
		text += ": " + r.Message
	}
	return text
}

// Unwrap returns the class.
func (r *Refusal) Unwrap() error { return r.class }

// throttled reports whether the platform wants fewer requests.
func (r *Refusal) throttled() bool { return r.class == errThrottled }

var errThrottled = fmt.Errorf("too many requests")

// refusal classifies an answer. 404, 408 and 410 are not there when something was read; 408 and 409 are conflicts when
// something was written (MyPureCloud/terraform-provider-genesyscloud, util_retries.go). A POST that timed out may have been
// carried out, and guards nothing: 408 is a lost answer then.
func refusal(rules Errors, method string, a *Answer, hide func(string) string) *Refusal {
	r := &Refusal{Status: a.Status, Message: hide(message(rules.Message, a.Body))}
	lower := strings.ToLower(message(rules.Message, a.Body))
	says := func(pieces []string) bool {
		for _, p := range pieces {
			if a.Status < 500 && strings.Contains(lower, p) {
				return true
			}
		}
		return false
	}
	reads := method == http.MethodGet || method == http.MethodHead
	switch s := a.Status; {
	case s == http.StatusTooManyRequests || says(rules.Throttled):
		r.class = errThrottled
	case method == http.MethodPost && s == http.StatusRequestTimeout && !says(rules.Conflict):
	case !reads && (s == http.StatusConflict || s == http.StatusRequestTimeout || s == http.StatusPreconditionFailed || says(rules.Conflict)):
		r.class = vendors.ErrConflict
	case s == http.StatusNotFound || s == http.StatusGone || reads && s == http.StatusRequestTimeout || says(rules.Missing):
		r.class = ErrMissing
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		r.class = vendors.ErrDenied
	case s == http.StatusNotImplemented || s == http.StatusMethodNotAllowed:
		r.class = vendors.ErrUnsupported
	case s < 500 && s != http.StatusTooEarly:
		r.class = vendors.ErrInvalid
	}
	return r
}

// message finds what people are told in an answer.
func message(path string, body []byte) string {
	if path != "" {
		var v any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if d.Decode(&v) == nil {
			for _, step := range strings.Split(path, ".") {
				m, _ := v.(map[string]any)
				v = m[step]
			}
			if s, ok := v.(string); ok && s != "" {
				return oneLine(s)
			}
		}
	}
	return oneLine(string(body[:min(len(body), 4*maxMessage)]))
}

// maxMessage bounds what is shown of an answer, in bytes.
const maxMessage = 300

// oneLine returns the text on one line, printable and bounded.
func oneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if len(s) <= maxMessage {
		return s
	}
	s = s[:maxMessage]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
