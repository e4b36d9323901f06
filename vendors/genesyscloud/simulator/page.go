package simulator

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

//go:embed page
var pageFiles embed.FS

// templates are the pages, each within the layout.
func templates() map[string]*template.Template {
	out := map[string]*template.Template{}
	for _, name := range []string{"home", "list", "edit"} {
		out[name] = template.Must(template.ParseFS(pageFiles, "page/layout.html", "page/"+name+".html"))
	}
	return out
}

// A view is what a page shows.
type view struct {
	Title, Person, Org, Base, Next string
	Problem, Done                  string
	Log                            bool // the rows are records
	Sections                       []section
	Columns                        []string
	Rows                           []viewRow
	Inputs                         []input
	Version                        int
	By, When                       string
}

// Width is how many columns a list has.
func (v view) Width() int { return len(v.Columns) + 2 }

type section struct {
	Name, URL string
	Here      bool
}

type viewRow struct {
	Name, URL, Note string
	Cells           []string
}

// personCookie names the person who works in the pages. It is no proof of anything: this is a simulator.
const personCookie = "person"

// pageRoutes are the administrator's pages. Forms of other sites are refused.
func (s *Server) pageRoutes() *http.ServeMux {
	m, forms := http.NewServeMux(), http.NewCrossOriginProtection()
	t := templates()
	page := func(pattern string, f func(r *http.Request, v *view) (name string, status int)) {
		m.Handle(pattern, forms.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v := &view{Person: signedIn(r)}
			s.mu.Lock()
			name, status := f(r, v)
			s.mu.Unlock()
			if status == http.StatusSeeOther {
				http.Redirect(w, r, name, status)
				return
			}
			var b bytes.Buffer
			if err := t[name].ExecuteTemplate(&b, "layout.html", v); err != nil {
				http.Error(w, "the page could not be made", http.StatusInternalServerError)
				s.o.Log.Error("page", "path", r.URL.Path, "err", err)
				return
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
			w.WriteHeader(status)
			_, _ = w.Write(b.Bytes())
		})))
	}
	page("GET /{$}", s.homePage)
	page("GET /admin/{org}", func(r *http.Request, v *view) (string, int) {
		return "/admin/" + url.PathEscape(r.PathValue("org")) + "/queue", http.StatusSeeOther
	})
	page("GET /admin/{org}/{kind}", s.listPage)
	page("GET /admin/{org}/{kind}/{id}", func(r *http.Request, v *view) (string, int) { return s.editPage(r, v, false) })
	page("POST /admin/{org}/{kind}/{id}", func(r *http.Request, v *view) (string, int) { return s.editPage(r, v, true) })
	m.Handle("POST /signin", forms.Handler(http.HandlerFunc(signIn)))
	m.Handle("POST /signout", forms.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: personCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode}) // #nosec G124 -- a name, not a session; plain http on loopback
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})))
	m.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, pageFiles, "page/style.css") })
	return m
}

func signedIn(r *http.Request) string {
	c, err := r.Cookie(personCookie)
	if err != nil {
		return ""
	}
	name, err := url.QueryUnescape(c.Value)
	if err != nil || len(name) > 80 {
		return ""
	}
	return name
}

func signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<14)
	name, next := strings.TrimSpace(r.PostFormValue("name")), r.PostFormValue("next")
	if !strings.HasPrefix(next, "/admin/") {
		next = "/"
	}
	if name == "" || len(name) > 80 {
		next = "/"
	} else {
		http.SetCookie(w, &http.Cookie{Name: personCookie, Value: url.QueryEscape(name), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}) // #nosec G124 -- a name, not a session; plain http on loopback
	}
	http.Redirect(w, r, next, http.StatusSeeOther) // #nosec G710 -- a path of ours: it begins with /admin/, or is /
}

func (s *Server) homePage(r *http.Request, v *view) (string, int) {
	v.Title, v.Next = "Organisations", r.URL.Query().Get("next")
	for name, o := range s.orgs {
		v.Rows = append(v.Rows, viewRow{Name: name, URL: "/admin/" + url.PathEscape(name), Note: fmt.Sprintf("%d objects, %d changes", len(o.Objects), len(o.Audits))})
	}
	slices.SortFunc(v.Rows, func(a, b viewRow) int { return cmp.Compare(a.Name, b.Name) })
	return "home", http.StatusOK
}

// enter finds the organisation of the path, and what its pages have in common.
func (s *Server) enter(r *http.Request, v *view) *Org {
	o := s.orgs[r.PathValue("org")]
	if o == nil {
		v.Title, v.Problem = "Not found", "There is no such organisation."
		return nil
	}
	v.Org, v.Base = o.Name, "/admin/"+url.PathEscape(o.Name)
	for _, sec := range []section{{Name: "Queues", URL: "queue"}, {Name: "Schedules", URL: "schedule"}, {Name: "Audit log", URL: "audit"}} {
		sec.Here = sec.URL == r.PathValue("kind")
		sec.URL = v.Base + "/" + sec.URL
		v.Sections = append(v.Sections, sec)
	}
	return o
}

func when(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05 UTC") }

func (s *Server) listPage(r *http.Request, v *view) (string, int) {
	o := s.enter(r, v)
	if o == nil {
		return "home", http.StatusNotFound
	}
	kind := r.PathValue("kind")
	if kind == "audit" {
		return s.auditPage(o, v)
	}
	ins := inputs(kind)
	if ins == nil {
		v.Title, v.Problem = "Not found", "There is no such page."
		return "home", http.StatusNotFound
	}
	v.Title = map[string]string{"queue": "Queues", "schedule": "Schedules"}[kind]
	for _, in := range ins {
		if in.Column {
			v.Columns = append(v.Columns, in.Label)
		}
	}
	for _, e := range o.list(s.kinds[kind]) {
		row := viewRow{Name: text(e.body, "name"), URL: v.Base + "/" + kind + "/" + e.o.ID, Note: when(e.o.Modified) + " by " + e.o.LastBy.Name}
		for _, in := range ins {
			if in.Column {
				row.Cells = append(row.Cells, in.read(e.body))
			}
		}
		v.Rows = append(v.Rows, row)
	}
	return "list", http.StatusOK
}

// auditRows is how many records the page shows.
const auditRows = 200

func (s *Server) auditPage(o *Org, v *view) (string, int) {
	v.Log, v.Title, v.Columns = true, "Audit log", []string{"Who", "What", "Before", "After"}
	for i := len(o.Audits) - 1; i >= 0 && len(v.Rows) < auditRows; i-- {
		a := o.Audits[i]
		var before, after []string
		for _, c := range a.Changes {
			if a.Action == "Update" {
				before = append(before, c.Property+": "+short(strings.Join(c.Old, ", ")))
				after = append(after, c.Property+": "+short(strings.Join(c.New, ", ")))
			}
		}
		v.Rows = append(v.Rows, viewRow{Name: a.Entity + " " + a.Name, Note: when(a.At), Cells: []string{a.By.Name, a.Action, strings.Join(before, "; "), strings.Join(after, "; ")}})
	}
	return "list", http.StatusOK
}

// short is the beginning of a long value.
func short(s string) string {
	const most = 160
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + " …"
	}
	return s
}

func (s *Server) editPage(r *http.Request, v *view, save bool) (string, int) {
	o := s.enter(r, v)
	if o == nil {
		return "home", http.StatusNotFound
	}
	kind := r.PathValue("kind")
	x := o.Objects[r.PathValue("id")]
	if ins := inputs(kind); ins == nil || x == nil || x.Kind != kind {
		v.Title, v.Problem = "Not found", "There is no such object."
		return "home", http.StatusNotFound
	}
	if v.Person == "" {
		return "/?next=" + url.QueryEscape(r.URL.Path), http.StatusSeeOther
	}
	status, body := http.StatusOK, x.Body
	if save {
		sent, why := s.saveForm(r, o, x, v.Person)
		if why == "" {
			return r.URL.Path + "?saved=1", http.StatusSeeOther
		}
		v.Problem, status, body = why, http.StatusUnprocessableEntity, sent
	} else if r.URL.Query().Has("saved") {
		v.Done = "Saved. The change is in the audit log under your name."
	}
	v.Title, v.Version, v.By, v.When = text(x.Body, "name"), x.Version, x.LastBy.Name, when(x.Modified)
	for _, in := range inputs(kind) {
		in.Value = in.read(body)
		v.Inputs = append(v.Inputs, in)
	}
	return "edit", status
}

// saveForm changes an object as the person asks. It returns what was asked for, and why it is refused.
func (s *Server) saveForm(r *http.Request, o *Org, x *object, person string) (map[string]any, string) {
	r.Body = http.MaxBytesReader(nil, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil {
		return x.Body, "The form could not be read."
	}
	k, body := s.kinds[x.Kind], cloneMap(x.Body)
	for _, in := range inputs(x.Kind) {
		if !r.PostForm.Has(in.ID) {
			continue
		}
		if err := in.write(body, strings.TrimSpace(r.PostFormValue(in.ID))); err != nil {
			return body, in.Label + ": " + err.Error()
		}
	}
	if v := r.PostFormValue("version"); v != "" && v != itoa(x.Version) {
		return body, "Somebody else changed this meanwhile. Look at the present values and save again."
	}
	c := &call{s: s, org: o, by: o.person1(person), app: &client{}, r: r, query: url.Values{}}
	r.SetPathValue("id", x.ID)
	c.body = plain(body)
	if k.guard != 0 {
		c.body.(map[string]any)["version"] = x.Version
	}
	if _, p := c.update(k, false); p != nil {
		return body, p.message
	}
	return x.Body, ""
}
