package simulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// A job is something that takes time.
type job struct {
	id      string
	kind    string
	org     *Org
	by      actor
	started time.Time // zero: registered only
	took    time.Duration

	flow     string // id of the flow that was made or changed
	failure  string
	secret   string // of the presigned URL
	upload   bool
	stubs    bool // flows that the text leads to and that are not there yet are made, empty
	download string
	headers  map[string]string

	audits []*audit
	body   map[string]any
}

// start makes a job that has begun.
func (o *Org) start(kind string, s *Server) *job {
	j := &job{id: s.uuid(), kind: kind, org: o, started: s.o.Now(), took: s.o.JobTime}
	o.jobs[kind+" "+j.id] = j
	return j
}

func (j *job) done(c *call) bool { return !j.started.IsZero() && c.s.o.Now().Sub(j.started) >= j.took }

func (s *Server) flowRoutes(m *http.ServeMux) {
	s.handle(m, "POST /api/v2/flows/jobs", "architect:flow:add", (*call).registerFlow)
	s.handle(m, "GET /api/v2/flows/jobs/{job}", "architect:flow:view", (*call).flowJob)
	s.handle(m, "POST /api/v2/flows/export/jobs", "architect:flow:view", (*call).exportFlow)
	s.handle(m, "GET /api/v2/flows/export/jobs/{job}", "architect:flow:view", (*call).exportJob)
	for _, action := range []string{"unlock", "checkout", "checkin"} {
		s.handle(m, "POST /api/v2/flows/actions/"+action, "architect:flow:edit", func(c *call) (answer, *problem) { return c.lockFlow(action) })
	}
	s.handle(m, "POST /api/v2/flows/actions/publish", "architect:flow:publish", (*call).publishFlow)
}

// completeFlow adds who has locked a flow, and its versions.
func (c *call) completeFlow(e entry, body map[string]any) {
	x := e.o
	if by, ok := x.Extra["lockedBy"].(string); ok {
		body["lockedUser"] = map[string]any{"id": by, "name": x.Extra["lockedName"], "version": 1}
	}
	n, _ := number(x.Extra["published"])
	at := x.Modified
	if len(x.old) > 0 && e.ver == x.old[0].version { // what a stale cache shows is of one time
		n, _ = number(x.old[0].published)
		at = e.at
	}
	if n == 0 {
		return
	}
	version := map[string]any{
		"id": fmt.Sprintf("%d.0", int(n)), "name": fmt.Sprintf("%d.0", int(n)), "commitVersion": fmt.Sprintf("%d.0", int(n)), "type": "PUBLISH",
		"dateCreated": at.UnixMilli(), "datePublished": fmt.Sprint(at.UnixMilli()), "selfUri": c.org.uri(x) + "/versions/" + fmt.Sprintf("%d.0", int(n)),
	}
	for _, f := range []string{"publishedVersion", "savedVersion", "checkedInVersion"} {
		body[f] = clone(version)
	}
}

// registerFlow answers with an address to which the flow's text is to be sent; the job begins then.
func (c *call) registerFlow() (answer, *problem) {
	j := c.org.start("flow", c.s)
	sent, _ := c.body.(map[string]any)
	j.stubs = sent["createStubs"] == true
	j.started, j.by, j.upload, j.secret = time.Time{}, c.by, true, c.s.uuid()
	j.headers = map[string]string{"Content-Type": "application/x-yaml", "x-amz-meta-jobid": j.id}
	c.s.uploads[j.secret] = j
	return ok(map[string]any{"id": j.id, "presignedUrl": c.base + "/signed/" + j.secret, "headers": j.headers, "selfUri": "/api/v2/flows/jobs/" + j.id})
}

func (c *call) flowJob() (answer, *problem) {
	j := c.org.jobs["flow "+c.r.PathValue("job")]
	if j == nil {
		return answer{}, notFound("job", c.r.PathValue("job"))
	}
	m := map[string]any{"id": j.id, "status": "Registered", "command": "Publish", "messages": []any{}, "selfUri": "/api/v2/flows/jobs/" + j.id}
	switch {
	case j.started.IsZero():
	case !j.done(c):
		m["status"] = "Started"
	case j.failure != "":
		m["status"] = "Failure"
		m["messages"] = []any{map[string]any{"type": "Error", "text": j.failure, "dateTime": stamp(j.started), "details": []any{}}}
	default:
		m["status"] = "Success"
		m["flow"] = map[string]any{"id": j.flow, "selfUri": "/api/v2/flows/" + j.flow}
	}
	return ok(m)
}

// serveSigned takes the text of a flow, or gives an exported one. Who knows the address needs no token.
func (s *Server) serveSigned(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	j, f := s.uploads[strings.TrimPrefix(r.URL.Path, "/signed/")], s.fault(r)
	s.mu.Unlock()
	if !f.before(w, r) {
		return
	}
	switch {
	case j == nil || j.upload != (r.Method == http.MethodPut):
		http.Error(w, "no such upload", http.StatusForbidden)
	case j.upload:
		for k, v := range j.headers { // they are part of what was signed
			if r.Header.Get(k) != v {
				http.Error(w, "header "+k+" is not as signed", http.StatusForbidden)
				return
			}
		}
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.uploads, j.secret)
		j.started = s.o.Now()
		j.failure = s.publish(j, string(text))
		if f.Lost {
			panic(http.ErrAbortHandler)
		}
	default:
		w.Header().Set("Content-Type", "application/x-yaml")
		_, _ = io.WriteString(w, j.download)
	}
}

// publish makes a flow of its text, or another version of it. It returns why not.
func (s *Server) publish(j *job, text string) string {
	typ, body, why := parseFlow(text)
	if why != "" {
		return why
	}
	o, k := j.org, s.kinds["flow"]
	name, _ := body["name"].(string)
	if why := o.missing(body, func(kind, name string) bool {
		if kind != "flow" || !j.stubs {
			return false
		}
		stub := map[string]any{"name": name, "type": typ, "division": map[string]any{"id": o.Home}}
		if o.names[o.unique(k, stub)] == "" {
			o.record(j.by, "Create", o.put(k, stub, j.by), nil)
		}
		return true
	}); why != "" {
		return why
	}
	want := map[string]any{"name": name, "type": typ, "division": map[string]any{"id": o.Home}}
	if d, _ := body["division"].(string); d != "" {
		id := o.named("division", d)
		if id == "" {
			return fmt.Sprintf("division %q does not exist", d)
		}
		want["division"] = map[string]any{"id": id}
	}
	if d, _ := body["description"].(string); d != "" {
		want["description"] = d
	}
	x := o.Objects[o.names[o.unique(k, want)]]
	switch {
	case x == nil:
		x = o.put(k, want, j.by)
	case x.Extra["lockedBy"] != nil && x.Extra["lockedBy"] != j.by.ID:
		return fmt.Sprintf("flow %q is locked by %v", name, x.Extra["lockedName"])
	default:
		o.set(x, want, j.by)
	}
	if x.Extra == nil { // a stub until now
		x.Extra = map[string]any{}
	}
	n, _ := number(x.Extra["published"])
	x.Extra["published"], x.Extra["text"], x.Extra["uses"] = int(n)+1, text, o.uses(text)
	j.flow = x.ID
	o.record(j.by, "Publish", x, []change{{"publishedVersion", []string{fmt.Sprintf("%d.0", int(n))}, []string{fmt.Sprintf("%d.0", int(n)+1)}}})
	return ""
}

// parseFlow reads the text of a flow: a map with one key, the type, and what the flow is below it.
func parseFlow(text string) (typ string, body map[string]any, why string) {
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return "", nil, "the flow is not YAML: " + err.Error()
	}
	if len(doc) != 1 {
		return "", nil, "the flow must have one type at its top"
	}
	for t, b := range doc {
		m, ok := b.(map[string]any)
		if !ok || m["name"] == nil || m["name"] == "" {
			return "", nil, "the flow has no name"
		}
		return strings.ToUpper(strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) {
				return r
			}
			return -1
		}, t)), m, ""
	}
	return "", nil, "the flow is empty"
}

// dependencies are the keys under which a flow's text names other objects, as {lit: {name: …}}.
var dependencies = map[string]string{
	"targetQueue": "queue", "queue": "queue", "skill": "skill", "language": "language", "dataTable": "datatable", "schedule": "schedule",
	"scheduleGroup": "schedulegroup", "emergencyGroup": "emergencygroup", "targetFlow": "flow", "prompt": "prompt", "dataAction": "dataaction",
}

// missing says which object that a flow names does not exist; help may make it.
func (o *Org) missing(v any, help func(kind, name string) bool) string {
	switch v := v.(type) {
	case map[string]any:
		for _, f := range fields(v, "{}") {
			if kind := dependencies[f]; kind != "" {
				if name := text(asMap(asMap(v[f])["lit"]), "name"); name != "" && o.named(kind, name) == "" && !help(kind, name) {
					return fmt.Sprintf("%s %q does not exist", kind, name)
				}
			}
			if why := o.missing(v[f], help); why != "" {
				return why
			}
		}
	case []any:
		for _, e := range v {
			if why := o.missing(e, help); why != "" {
				return why
			}
		}
	}
	return ""
}

// named is the id of an object by its name, "" where there is none.
func (o *Org) named(kind, name string) string {
	for _, x := range o.Objects {
		if x.Kind == kind && strings.EqualFold(text(x.Body, "name"), name) {
			return x.ID
		}
	}
	return ""
}

// exportFlow starts a job that makes the texts of flows ready to be fetched: one flow as it is, several
// of them as documents of one text.
func (c *call) exportFlow() (answer, *problem) {
	body, p := c.object()
	if p != nil {
		return answer{}, p
	}
	list, _ := body["flows"].([]any)
	if len(list) == 0 {
		return answer{}, bad("flows is required")
	}
	j := c.org.start("export", c.s)
	j.secret = c.s.uuid()
	var texts []string
	for _, e := range list {
		x, p := c.current("flow", refID(asMap(e)["flow"]))
		if p != nil {
			j.failure = p.message
			continue
		}
		t := c.org.today(text(x.Extra, "text"), asMap(x.Extra["uses"]))
		if _, head, _ := parseFlow(t); t != "" && head["name"] != c.org.name(x) {
			t = renamed(t, c.org.name(x))
		}
		if t == "" {
			j.failure = fmt.Sprintf("flow %q has no published version", c.org.name(x))
		}
		texts = append(texts, t)
	}
	j.download = strings.Join(texts, "---\n")
	c.s.uploads[j.secret] = j
	return ok(map[string]any{"id": j.id, "status": "Registered", "totalFlows": len(list), "selfUri": "/api/v2/flows/export/jobs/" + j.id})
}

func (c *call) exportJob() (answer, *problem) {
	j := c.org.jobs["export "+c.r.PathValue("job")]
	if j == nil {
		return answer{}, notFound("job", c.r.PathValue("job"))
	}
	m := map[string]any{"id": j.id, "status": "Started", "command": "Export", "messages": []any{}, "selfUri": "/api/v2/flows/export/jobs/" + j.id}
	switch {
	case !j.done(c):
	case j.failure != "":
		m["status"] = "Failure"
		m["messages"] = []any{map[string]any{"type": "Error", "text": j.failure, "dateTime": stamp(j.started), "details": []any{}}}
	default:
		m["status"], m["downloadUrl"] = "Success", c.base+"/signed/"+j.secret
	}
	return ok(m)
}

func (c *call) lockFlow(action string) (answer, *problem) {
	x, p := c.current("flow", c.query.Get("flow"))
	if p != nil {
		return answer{}, p
	}
	if x.Extra == nil {
		x.Extra = map[string]any{}
	}
	if action == "checkout" {
		if x.Extra["lockedBy"] != nil && x.Extra["lockedBy"] != c.by.ID {
			return answer{}, conflict("flow %q is locked by %v", c.org.name(x), x.Extra["lockedName"])
		}
		x.Extra["lockedBy"], x.Extra["lockedName"] = c.by.ID, c.by.Name
	} else {
		delete(x.Extra, "lockedBy")
		delete(x.Extra, "lockedName")
	}
	c.org.touch(x)
	return ok(c.render(entry{o: x, body: x.Body, ver: x.Version}, false))
}

func (c *call) publishFlow() (answer, *problem) {
	x, p := c.current("flow", c.query.Get("flow"))
	if p != nil {
		return answer{}, p
	}
	return ok(map[string]any{"id": x.ID, "complete": true, "actionName": "PUBLISH", "actionStatus": "SUCCESS"})
}

// renamed is the text of a flow under another name: exports have the present one.
func renamed(flow, name string) string {
	lines := strings.Split(flow, "\n")
	for i, l := range lines {
		if indent, _, ok := strings.Cut(l, "name:"); ok && indent != "" && strings.TrimSpace(indent) == "" {
			lines[i] = indent + "name: " + string(quoted(name))
			break
		}
	}
	return strings.Join(lines, "\n")
}

// quoted is a text as YAML and JSON write it.
func quoted(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic("simulator: " + err.Error()) // a string always has a JSON form
	}
	return b
}
