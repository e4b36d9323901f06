package simulator

import (
	"context"
	"net/http"
	"strings"
)

func withCall(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// routes makes the API's table of paths: the rows' own and those that only some kinds have.
func (s *Server) routes() *http.ServeMux {
	m := http.NewServeMux()
	for _, k := range s.order {
		s.kindRoutes(m, k)
	}
	s.linkRoutes(m)
	s.flowRoutes(m)
	s.otherRoutes(m)
	s.auditRoutes(m)
	s.channelRoutes(m)
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { notFound("path", r.URL.Path).write(w, "") })
	return m
}

// special are the kinds and methods that have handlers of their own.
var special = map[string]bool{
	"GET webconfiguration": true, // items are read by version
}

func (s *Server) kindRoutes(m *http.ServeMux, k *kind) {
	item := k.path + "/{id}"
	s.handle(m, "GET "+k.path, permission(k, "view"), func(c *call) (answer, *problem) { return c.list(k) })
	if k.lookup {
		s.handle(m, "GET "+item, permission(k, "view"), func(c *call) (answer, *problem) { return c.read(k) })
		return
	}
	s.handle(m, "POST "+k.path, k.permission+":add", func(c *call) (answer, *problem) { return c.create(k) })
	if !special["GET "+k.name] {
		s.handle(m, "GET "+item, k.permission+":view", func(c *call) (answer, *problem) { return c.read(k) })
	}
	for _, method := range strings.Fields(k.update) {
		s.handle(m, method+" "+item, k.permission+":edit", func(c *call) (answer, *problem) { return c.update(k, method == http.MethodPatch) })
	}
	if !k.noDelete {
		s.handle(m, "DELETE "+item, k.permission+":delete", func(c *call) (answer, *problem) { return c.delete(k) })
	}
}

func permission(k *kind, verb string) string {
	if k.permission == "" {
		return ""
	}
	return k.permission + ":" + verb
}
