package githubtest

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
)

// GraphQL is answered for what REST cannot do, and only these mutations, by their names:
// a draft made ready, a pull request made a draft, and a comment hidden. The query itself is not parsed; Documents returns what
// was sent, to be held against GitHub's schema.
var mutation = regexp.MustCompile(`\b(markPullRequestReadyForReview|convertPullRequestToDraft|minimizeComment|unminimizeComment)\b`)

func (s *Server) serveGraphQL(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
		return
	}
	f := s.fault("graphql")
	spoilt := f.wait()
	answer := reply{}
	login := ""
	if !spoilt || f.Late {
		answer, login = s.mutate(r, body)
	}
	if spoilt {
		answer = f.reply()
	}
	s.note(Request{Method: r.Method, Path: r.URL.Path, Op: "graphql", Status: answer.status, Who: login})
	if answer.status == 0 {
		drop(w)
		return
	}
	write(w, answer)
}

func (s *Server) mutate(r *http.Request, body []byte) (reply, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{Server: s, r: r, rt: &route{id: "graphql"}, header: http.Header{}, body: body}
	var err error
	if c.who, err = s.authenticate(r); err == nil && c.who == nil {
		err = badCredentials()
	}
	if err == nil {
		err = c.meter()
	}
	var ask struct {
		Query     string
		Variables json.RawMessage
	}
	if err == nil {
		err = c.decode(&ask)
	}
	if err != nil {
		return c.finish(reply{}, err), c.who.login()
	}
	s.documents = append(s.documents, string(body))
	out := c.runMutation(mutation.FindString(ask.Query), nodeID.FindString(string(ask.Variables)+ask.Query))
	return c.finish(reply{status: http.StatusOK, body: out}, nil), c.who.login()
}

var nodeID = regexp.MustCompile(`\b(PR|IC)_[0-9]+\b`)

func (c *call) runMutation(name, id string) obj {
	no := func(kind, message string) obj {
		return obj{"data": obj{name: nil}, "errors": []obj{{"type": kind, "path": []string{name}, "message": message}}}
	}
	for _, repo := range c.repos {
		c.repo = repo
		for _, p := range repo.pulls {
			if node("PR", p.id) != id || !c.who.sees(repo) {
				continue
			}
			if err := c.allowed("pull_requests=write"); err != nil {
				return no("FORBIDDEN", "Resource not accessible by integration")
			}
			return obj{"data": obj{name: obj{"pullRequest": c.draft(p, name == "convertPullRequestToDraft")}}}
		}
		for _, m := range repo.comments {
			if node("IC", m.id) == id && c.who.sees(repo) {
				return obj{"data": obj{name: obj{"minimizedComment": obj{"isMinimized": name == "minimizeComment"}}}}
			}
		}
	}
	return no("NOT_FOUND", "Could not resolve to a node with the global id of '"+id+"'")
}

// draft makes a pull request a draft or ready.
func (c *call) draft(p *pull, draft bool) obj {
	if p.draft != draft {
		p.draft, p.updated = draft, c.now()
		c.repo.emitPull(map[bool]string{true: "converted_to_draft", false: "ready_for_review"}[draft], p, c.who.account, nil)
	}
	return obj{"id": node("PR", p.id), "number": p.number, "isDraft": p.draft}
}

// Documents returns the bodies of the requests to GraphQL until now.
func (s *Server) Documents() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.documents...)
}
