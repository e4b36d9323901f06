package githubtest

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// description is what GitHub publishes about the operations that are answered
// here, made by testdata/openapi/subset.mjs.
//
//go:embed openapi.json
var description []byte

// A route is one operation of the description.
type route struct {
	id       string   // pulls/create
	segments []string // of the path: repos, {owner}, {repo}, pulls
	tail     bool     // the last parameter takes the rest of the path, slashes and all
	status   int      // of success, the lowest that is declared
	run      handler
	contract *routers.Route
}

// tails are the paths whose last parameter holds slashes, which the description cannot say.
var tails = []string{"/contents/{path}", "/git/ref/{ref}", "/git/refs/{ref}", "/git/matching-refs/{ref}", "/compare/{base}...{head}"}

// routes reads the description, once a process: it is never changed. It panics where an operation has no
// handler or a handler no operation, which the tests of this package see.
var routes = sync.OnceValue(func() []route {
	doc, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		panic("openapi.json: " + err.Error())
	}
	var all []route
	for _, path := range doc.Paths.Keys() {
		item := doc.Paths.Value(path)
		for method, op := range item.Operations() {
			h, ok := operations[op.OperationID]
			if !ok {
				panic("no handler of " + op.OperationID)
			}
			all = append(all, route{
				id: op.OperationID, segments: strings.Split(path[1:], "/"), run: h, status: success(op),
				tail:     slices.ContainsFunc(tails, func(t string) bool { return strings.HasSuffix(path, t) }),
				contract: &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op},
			})
		}
	}
	if len(all) != len(operations) {
		panic(fmt.Sprintf("%d handlers of %d operations", len(operations), len(all)))
	}
	return all
})

func success(op *openapi3.Operation) int {
	best := 299
	for code := range op.Responses.Map() {
		var n int
		if _, err := fmt.Sscan(code, &n); err == nil && n >= 200 && n < best {
			best = n
		}
	}
	return best
}

// find returns the route of a request and its path parameters: of several that fit, the one with the most fixed segments.
func find(method, escapedPath string) (*route, map[string]string) {
	segments := strings.Split(strings.TrimPrefix(escapedPath, "/"), "/")
	var best *route
	bestFixed := -1
	var bestParams map[string]string
	all := routes()
	for i := range all {
		r := &all[i]
		if r.contract.Method != method {
			continue
		}
		if params, fixed, ok := r.match(segments); ok && fixed > bestFixed {
			best, bestFixed, bestParams = r, fixed, params
		}
	}
	return best, bestParams
}

// violation says that a request or an answer is not what GitHub's description permits.
type violation struct{ op, text string }

func (v violation) String() string { return v.op + ": " + v.text }

// A tolerance is a violation that is none: of an operation, with a text that holds this.
type tolerance struct{ op, text, reason string }

// tolerated are all of them, each with its reason.
var tolerated = []tolerance{
	{"apps/list-installations", `/account/`, "the description wants an account to be a user and an enterprise at once"},
	{"repos/get-content", `parameter "path" in path`, "the root has an empty path, which the description has no words for"},
	{"issues/add-labels", "value must be an object", "the description lists the object form only; GitHub's prose and older descriptions allow a bare array of names, which go-github sends"},
	{"issues/set-labels", "value must be an object", "as issues/add-labels"},
	{"pulls/list", `/description": Value is not nullable`, "a label without a description: null to GitHub, and to its description in pulls/get"},
	{"pulls/request-reviewers", `/description": Value is not nullable`, "as pulls/list"},
	{"pulls/remove-requested-reviewers", `/description": Value is not nullable`, "as pulls/list"},
	{"repos/list-pull-requests-associated-with-commit", `/description": Value is not nullable`, "as pulls/list"},
}

var validation = &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true, IncludeResponseStatus: false}

// checkRequest returns what is wrong with a request.
func checkRequest(rt *route, params map[string]string, r *http.Request, body []byte) (*openapi3filter.RequestValidationInput, []string) {
	q := r.Clone(context.Background())
	q.Body = io.NopCloser(bytes.NewReader(body))
	if len(body) > 0 {
		q.Header.Set("Content-Type", "application/json") // GitHub takes JSON under any type
	}
	in := &openapi3filter.RequestValidationInput{Request: q, PathParams: params, Route: rt.contract, Options: validation}
	err := openapi3filter.ValidateRequest(context.Background(), in)
	q.Body = io.NopCloser(bytes.NewReader(body))
	return in, brief(err)
}

// checkAnswer returns what is wrong with an answer. Refusals that the description does not declare for an
// operation are GitHub's everyday (401, 403, 404, 422, 429, 5xx), and are held against its schema of an error.
func checkAnswer(in *openapi3filter.RequestValidationInput, status int, header http.Header, body []byte) []string {
	if in.Route.Operation.Responses.Status(status) == nil {
		if status < 400 && status != http.StatusNotModified {
			return []string{fmt.Sprintf("answer: status %d is not declared", status)}
		}
		return nil
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: status, Header: header, Options: validation}
	out.SetBodyBytes(body)
	return brief(openapi3filter.ValidateResponse(context.Background(), out))
}

// brief returns a validator's errors one by one, without the schema and the value that it repeats.
func brief(err error) []string {
	var all openapi3.MultiError
	if errors.As(err, &all) {
		var out []string
		for _, e := range all {
			out = append(out, brief(e)...)
		}
		return out
	}
	if err == nil {
		return nil
	}
	var lines []string
	skip := false
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "Schema:"), strings.HasPrefix(strings.TrimSpace(line), "Value:"):
			skip = true
		case skip && (line == "" || line[0] == ' ' || line[0] == '}' || line[0] == ']'):
		default:
			skip = false
			lines = append(lines, line)
		}
	}
	text := strings.Join(lines, " ")
	return []string{text[:min(len(text), 1500)]}
}

func (r *route) match(segments []string) (params map[string]string, fixed int, ok bool) {
	n := len(r.segments)
	if len(segments) < n || len(segments) > n && !r.tail {
		return nil, 0, false
	}
	params = map[string]string{}
	for i, s := range r.segments {
		if !strings.HasPrefix(s, "{") {
			if segments[i] != s {
				return nil, 0, false
			}
			fixed++
			continue
		}
		value := segments[i]
		if i == n-1 && r.tail {
			value = strings.Join(segments[i:], "/")
		}
		plain, err := unescape(value)
		if err != nil || plain == "" && !strings.HasPrefix(s, "{path") {
			return nil, 0, false
		}
		if s == "{base}...{head}" {
			if params["base"], params["head"], ok = strings.Cut(plain, "..."); !ok {
				return nil, 0, false
			}
			continue
		}
		params[strings.Trim(s, "{}")] = plain
	}
	return params, fixed, true
}
