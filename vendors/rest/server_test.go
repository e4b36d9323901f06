package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A server is a small platform that has every habit the engine knows: pages by number and by
// cursor, versions in bodies and in headers, and none; members written apart; children under their
// parents; soft deletion; references by object, by id, in maps and in text.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	objects  map[string][]map[string]any // by collection, as they are listed
	members  map[string][]map[string]any // by queue
	settings map[string]any
	next     int
	now      int // version of everything

	requests map[string]int // by "METHOD /collection"
	// fault may answer a request in the place of the server, before or after it was carried out.
	fault func(r *http.Request, after bool) (status int, header http.Header)
	// shift is called between the pages of a listing, without the lock.
	shift func(r *http.Request)
	// denied collections answer 403, and so do hidden objects, which are not listed either.
	denied map[string]bool
	hidden map[string]bool
	stale  map[string][]map[string]any // what listings still show
}

// readAll returns the body of a request, which can be read again.
func readAll(r *http.Request) string {
	b, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(b))
	return string(b)
}

func newServer(t testing.TB) *server {
	s := &server{
		objects: map[string][]map[string]any{}, members: map[string][]map[string]any{}, requests: map[string]int{},
		settings: map[string]any{"greeting": "hello", "version": json.Number("1")},
		denied:   map[string]bool{}, hidden: map[string]bool{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/org", func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, map[string]any{"id": "org-1"}) })
	mux.HandleFunc("GET /api/settings", func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, s.settings) })
	mux.HandleFunc("PUT /api/settings", s.putSettings)
	for _, c := range []string{"skills", "users", "queues", "schedules", "tables", "rules"} {
		mux.HandleFunc("GET /api/"+c, func(w http.ResponseWriter, r *http.Request) { s.list(w, r, c) })
		mux.HandleFunc("POST /api/"+c, func(w http.ResponseWriter, r *http.Request) { s.create(w, r, c) })
		mux.HandleFunc("GET /api/"+c+"/{id}", func(w http.ResponseWriter, r *http.Request) { s.get(w, r, c) })
		mux.HandleFunc("PUT /api/"+c+"/{id}", func(w http.ResponseWriter, r *http.Request) { s.update(w, r, c) })
		mux.HandleFunc("PATCH /api/"+c+"/{id}", func(w http.ResponseWriter, r *http.Request) { s.update(w, r, c) })
		mux.HandleFunc("DELETE /api/"+c+"/{id}", func(w http.ResponseWriter, r *http.Request) { s.delete(w, r, c) })
	}
	rows := func(f func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if s.find("tables", r.PathValue("table")) == nil {
				answer(w, 404, map[string]any{"message": "no such table"})
				return
			}
			f(w, r, "tables/"+r.PathValue("table")+"/rows")
		}
	}
	mux.HandleFunc("GET /api/tables/{table}/rows", rows(s.list))
	mux.HandleFunc("POST /api/tables/{table}/rows", rows(s.create))
	mux.HandleFunc("GET /api/tables/{table}/rows/{id}", rows(s.get))
	mux.HandleFunc("PUT /api/tables/{table}/rows/{id}", rows(s.update))
	mux.HandleFunc("DELETE /api/tables/{table}/rows/{id}", rows(s.delete))
	mux.HandleFunc("GET /api/queues/{id}/members", s.listMembers)
	mux.HandleFunc("POST /api/queues/{id}/members", s.writeMembers)
	mux.HandleFunc("PATCH /api/queues/{id}/members/{item}", s.changeMember)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(mux, w, r) }))
	t.Cleanup(s.Close)
	return s
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if v != nil {
		_ = json.NewEncoder(w).Encode(v)
	}
}

func (s *server) serve(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	collection := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/"), "/")[0]
	s.mu.Lock()
	s.requests[r.Method+" /"+collection]++
	denied, fault := s.denied[collection], s.fault
	s.mu.Unlock()
	if denied {
		answer(w, 403, map[string]any{"message": "missing permission: " + collection + ":view"})
		return
	}
	if fault == nil {
		s.locked(mux, w, r)
		return
	}
	if status, h := fault(r, false); status != 0 {
		maps.Copy(w.Header(), h)
		answer(w, status, map[string]any{"message": "as arranged"})
		return
	}
	kept := httptest.NewRecorder()
	s.locked(mux, kept, r)
	if status, h := fault(r, true); status != 0 {
		if status < 0 { // the answer is lost
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), h)
		answer(w, status, map[string]any{"message": "as arranged"})
		return
	}
	maps.Copy(w.Header(), kept.Header())
	w.WriteHeader(kept.Code)
	_, _ = w.Write(kept.Body.Bytes())
}

func (s *server) locked(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	mux.ServeHTTP(w, r)
	shift := s.shift
	s.mu.Unlock()
	if shift != nil {
		shift(r)
	}
}

func (s *server) find(c, id string) map[string]any {
	for _, o := range s.objects[c] {
		if o["id"] == id {
			return o
		}
	}
	return nil
}

// list gives a page: by number for skills, queues and rows, by cursor for the rest.
func (s *server) list(w http.ResponseWriter, r *http.Request, c string) {
	q := r.URL.Query()
	var all []map[string]any
	listed := s.objects[c]
	if old, ok := s.stale[c]; ok {
		listed = old
	}
	for _, o := range listed {
		if id, _ := o["id"].(string); s.hidden[id] {
			continue
		}
		if peer := q.Get("hasPeer"); peer != "" && fmt.Sprint(o["peer"] == true) != peer {
			continue
		}
		if name := q.Get("name"); name != "" && !strings.HasPrefix(fmt.Sprint(o["name"]), name) {
			continue
		}
		all = append(all, o)
	}
	size, _ := strconv.Atoi(q.Get("pageSize"))
	size = min(max(size, 1), 100)
	if c == "users" || c == "schedules" || c == "tables" || c == "rules" {
		from, _ := strconv.Atoi(q.Get("after"))
		from = min(from, len(all))
		end := min(from+size, len(all))
		out := map[string]any{"entities": orEmpty(all[from:end])}
		if end < len(all) {
			out["nextUri"] = fmt.Sprintf("/api/%s?after=%d&pageSize=%d", c, end, size)
		}
		answer(w, 200, out)
		return
	}
	number, _ := strconv.Atoi(q.Get("pageNumber"))
	from := min((max(number, 1)-1)*size, len(all))
	answer(w, 200, map[string]any{
		"entities": orEmpty(all[from:min(from+size, len(all))]), "pageNumber": number, "pageSize": size,
		"total": len(all), "pageCount": (len(all) + size - 1) / size,
	})
}

func orEmpty(list []map[string]any) []map[string]any {
	if list == nil {
		return []map[string]any{}
	}
	return list
}

func (s *server) get(w http.ResponseWriter, r *http.Request, c string) {
	o := s.find(c, r.PathValue("id"))
	switch {
	case o == nil:
		answer(w, 404, map[string]any{"message": "not found"})
	case s.hidden[o["id"].(string)]:
		answer(w, 403, map[string]any{"message": "of another division"})
	default:
		if c == "tables" {
			w.Header().Set("ETag", fmt.Sprintf("%q", o["etag"]))
		}
		answer(w, 200, o)
	}
}

func decodeBody(r *http.Request) (map[string]any, error) {
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	var o map[string]any
	err := d.Decode(&o)
	return o, err
}

func (s *server) create(w http.ResponseWriter, r *http.Request, c string) {
	o, err := decodeBody(r)
	if err != nil {
		answer(w, 400, map[string]any{"message": err.Error()})
		return
	}
	o, err = s.put(c, "", o)
	if err != nil {
		answer(w, 400, map[string]any{"message": err.Error()})
		return
	}
	answer(w, 201, o)
}

// put stores an object, new where id is "", and fills in what the platform computes.
func (s *server) put(c, id string, o map[string]any) (map[string]any, error) {
	key := "name"
	if strings.HasSuffix(c, "/rows") {
		key = "key"
	}
	if o[key] == nil || o[key] == "" {
		return nil, fmt.Errorf("%s is missing", key)
	}
	for _, other := range s.objects[c] {
		if other[key] == o[key] && other["id"] != id && other["state"] != "deleted" {
			return nil, fmt.Errorf("the name is taken")
		}
	}
	if err := s.check(o); err != nil {
		return nil, err
	}
	s.now++
	o = maps.Clone(o)
	o["dateModified"] = fmt.Sprintf("2026-01-01T00:00:00.%03dZ", s.now%1000)
	o["selfUri"] = "/api/" + c + "/" + id
	if o["state"] == nil {
		o["state"] = "active"
	}
	switch c {
	case "schedules":
		o["version"] = json.Number(strconv.Itoa(s.now))
	case "tables":
		o["etag"] = strconv.Itoa(s.now)
	case "queues":
		o["memberCount"] = json.Number(strconv.Itoa(len(s.members[id])))
	}
	if id == "" {
		s.next++
		o["id"] = fmt.Sprintf("%08x-0000-4000-8000-000000000000", s.next)
		if key == "key" {
			o["id"] = o["key"]
		}
		s.objects[c] = append(s.objects[c], o)
		return o, nil
	}
	o["id"] = id
	i := slices.IndexFunc(s.objects[c], func(o map[string]any) bool { return o["id"] == id })
	s.objects[c][i] = o
	return o, nil
}

// check refuses references that lead nowhere, as {"id": …}.
func (s *server) check(v any) error {
	switch v := v.(type) {
	case map[string]any:
		if id, ok := v["id"].(string); ok && len(v) <= 2 {
			for c := range s.objects {
				if s.find(c, id) != nil {
					return nil
				}
			}
			return fmt.Errorf("there is no %s", id)
		}
		for _, x := range v {
			if err := s.check(x); err != nil {
				return err
			}
		}
	case []any:
		for _, x := range v {
			if err := s.check(x); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *server) update(w http.ResponseWriter, r *http.Request, c string) {
	old := s.find(c, r.PathValue("id"))
	if old == nil {
		answer(w, 404, map[string]any{"message": "not found"})
		return
	}
	o, err := decodeBody(r)
	if err != nil {
		answer(w, 400, map[string]any{"message": err.Error()})
		return
	}
	switch {
	case c == "schedules" && fmt.Sprint(o["version"]) != fmt.Sprint(old["version"]):
		answer(w, 400, map[string]any{"message": "The version 1 does not match the current version"})
		return
	case c == "tables" && r.Header.Get("If-Match") != fmt.Sprintf("%q", old["etag"]):
		answer(w, 412, map[string]any{"message": "stale"})
		return
	case c == "skills":
		answer(w, 405, map[string]any{"message": "skills cannot be changed"})
		return
	}
	if r.Method == http.MethodPatch {
		merged := maps.Clone(old)
		for key, v := range o {
			if merged[key] = v; v == nil {
				delete(merged, key)
			}
		}
		o = merged
	}
	if c == "queues" {
		o["peer"] = old["peer"] // nobody can change it
		if o["peer"] == nil {
			delete(o, "peer")
		}
	}
	o, err = s.put(c, old["id"].(string), o)
	if err != nil {
		answer(w, 400, map[string]any{"message": err.Error()})
		return
	}
	if c == "tables" {
		w.Header().Set("ETag", fmt.Sprintf("%q", o["etag"]))
	}
	answer(w, 200, o)
}

func (s *server) delete(w http.ResponseWriter, r *http.Request, c string) {
	i := slices.IndexFunc(s.objects[c], func(o map[string]any) bool { return o["id"] == r.PathValue("id") })
	if i < 0 {
		answer(w, 404, map[string]any{"message": "not found"})
		return
	}
	id := r.PathValue("id")
	for other, list := range s.objects {
		for _, o := range list {
			if o["id"] != id && strings.Contains(fmt.Sprint(o), id) && other != c {
				answer(w, 409, map[string]any{"message": "it is in use by " + fmt.Sprint(o["name"])})
				return
			}
		}
	}
	s.objects[c] = slices.Delete(slices.Clone(s.objects[c]), i, i+1)
	delete(s.members, id)
	answer(w, 204, nil)
}

func (s *server) putSettings(w http.ResponseWriter, r *http.Request) {
	o, err := decodeBody(r)
	if err != nil || fmt.Sprint(o["version"]) != fmt.Sprint(s.settings["version"]) {
		answer(w, 409, map[string]any{"message": "stale"})
		return
	}
	s.now++
	o["version"] = json.Number(strconv.Itoa(s.now))
	s.settings = o
	answer(w, 200, o)
}

func (s *server) listMembers(w http.ResponseWriter, r *http.Request) {
	if s.find("queues", r.PathValue("id")) == nil {
		answer(w, 404, nil)
		return
	}
	answer(w, 200, map[string]any{"entities": orEmpty(s.members[r.PathValue("id")])})
}

func (s *server) writeMembers(w http.ResponseWriter, r *http.Request) {
	var list []map[string]any
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	queue := s.find("queues", r.PathValue("id"))
	if err := d.Decode(&list); err != nil || queue == nil || len(list) > 3 {
		answer(w, 400, map[string]any{"message": "want at most 3 members of a queue"})
		return
	}
	id := queue["id"].(string)
	for _, m := range list {
		user := s.find("users", fmt.Sprint(m["id"]))
		if user == nil {
			answer(w, 400, map[string]any{"message": "no such user"})
			return
		}
		s.members[id] = slices.DeleteFunc(s.members[id], func(o map[string]any) bool { return o["id"] == m["id"] })
		if r.URL.Query().Get("delete") != "true" {
			ring := m["ringNumber"]
			if ring == nil {
				ring = json.Number("1")
			}
			s.members[id] = append(s.members[id], map[string]any{"id": m["id"], "name": user["name"], "ringNumber": ring, "joined": true})
		}
	}
	queue["memberCount"] = json.Number(strconv.Itoa(len(s.members[id])))
	s.now++
	queue["dateModified"] = fmt.Sprintf("2026-01-01T00:00:00.%03dZ", s.now%1000)
	answer(w, 204, nil)
}

func (s *server) changeMember(w http.ResponseWriter, r *http.Request) {
	o, err := decodeBody(r)
	for _, m := range s.members[r.PathValue("id")] {
		if m["id"] == r.PathValue("item") && err == nil {
			m["ringNumber"] = o["ringNumber"]
			queue := s.find("queues", r.PathValue("id"))
			s.now++
			queue["dateModified"] = fmt.Sprintf("2026-01-01T00:00:00.%03dZ", s.now%1000)
			answer(w, 200, m)
			return
		}
	}
	answer(w, 404, nil)
}
