package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sort"
	"strings"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
)

// What people do in the story, and how it is looked at what came of it.

// edit changes one field in the platform's pages, as a person does with a browser.
func (s *story) edit(ctx context.Context, person, env, kind, id, field, value string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar}
	page := s.page(env, kind, id)
	for _, post := range []struct {
		to   string
		form url.Values
	}{
		{s.base + "/signin", url.Values{"name": {person}, "next": {strings.TrimPrefix(page, s.base)}}},
		{page, url.Values{field: {value}}},
	} {
		status, _, err := send(ctx, browser, http.MethodPost, post.to, "application/x-www-form-urlencoded", "", []byte(post.form.Encode()))
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return fmt.Errorf("the page %s answers %d", post.to, status)
		}
	}
	return nil
}

// answerLimit is how much of an answer is read.
const answerLimit = 16 << 20

func send(ctx context.Context, c *http.Client, method, to, contentType, token string, body []byte) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	a, err := c.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(io.LimitReader(a.Body, answerLimit))
	return a.StatusCode, b, err
}

// get asks the platform's API, as a client of its own: not by driftback's ways.
func (s *story) get(ctx context.Context, env, path string) (out map[string]any, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read %s of %s: %w", path, env, err)
		}
	}()
	id, secret := s.orgs[env].AddClient("Auditor")
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
	_, b, err := send(ctx, http.DefaultClient, http.MethodPost, s.base+"/oauth/token", "application/x-www-form-urlencoded", "", []byte(form.Encode()))
	if err != nil {
		return nil, err
	}
	var token struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(b, &token); err != nil {
		return nil, err
	}
	status, b, err := send(ctx, http.DefaultClient, http.MethodGet, s.base+path, "", token.Token, nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("the platform answers %d", status)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return out, d.Decode(&out)
}

// reads is one field of what the platform answers.
func (s *story) reads(ctx context.Context, env, path string, fields ...string) (string, error) {
	m, err := s.get(ctx, env, path)
	if err != nil {
		return "", err
	}
	var v any = m
	for _, f := range fields {
		m, ok := v.(map[string]any)
		if !ok {
			return "", fmt.Errorf("%s has no %s", path, f)
		}
		v = m[f]
	}
	return fmt.Sprint(v), nil
}

// writes are how many changes all organisations have recorded.
func (s *story) writes() int {
	n := 0
	for _, o := range s.orgs {
		n += o.Writes()
	}
	return n
}

// A picture is what prod is at a moment, so that two can be compared.
type picture struct {
	git, live string // trees
	platform  string // hash of its answers
	objects   int
}

// bookkeeping is what the platform says of an object besides its configuration.
var bookkeeping = []string{"version", "dateModified", "modifiedBy", "modifiedByApp", "dateCreated", "createdBy", "createdByApp"}

// picture looks at prod in Git, in what was observed, and on the platform.
func (s *story) picture(ctx context.Context) (p picture, err error) {
	refs, err := s.store.Sync(ctx)
	if err != nil {
		return p, err
	}
	if p.git, err = s.digest(refs["refs/heads/main"], "environments/prod"); err != nil {
		return p, err
	}
	if p.live, err = s.digest(refs["refs/heads/live/prod"], ""); err != nil {
		return p, err
	}
	sum := sha256.New()
	for _, path := range []string{"/api/v2/routing/queues?pageSize=500", "/api/v2/architect/schedules?pageSize=100", "/api/v2/architect/schedulegroups?pageSize=100", "/api/v2/architect/ivrs?pageSize=100"} {
		m, err := s.get(ctx, "prod", path)
		if err != nil {
			return p, err
		}
		entities, _ := m["entities"].([]any)
		for _, e := range entities {
			o, _ := e.(map[string]any)
			for _, f := range bookkeeping {
				delete(o, f)
			}
			b, err := json.Marshal(o)
			if err != nil {
				return p, err
			}
			sum.Write(append(b, '\n'))
			p.objects++
		}
	}
	p.platform = hex.EncodeToString(sum.Sum(nil))
	return p, nil
}

// digest is a hash of all files at or below a folder, by name and content.
func (s *story) digest(commit gitstore.ID, folder string) (string, error) {
	var lines []string
	err := s.store.Files(commit, folder, func(f gitstore.File) error {
		lines = append(lines, f.Path+" "+f.ID.String())
		return nil
	})
	if err != nil {
		return "", err
	}
	sort.Strings(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:]), nil
}

func (s *story) signature(person string) gitstore.Signature {
	return gitstore.Signature{Name: person, Email: addressOf(person)}
}

// change makes a developer's pull request: in each object of prod, the one place that says the first text says the
// second one.
func (s *story) change(ctx context.Context, branch, title string, edits map[string][2]string) (forge.Pull, error) {
	refs, err := s.store.Sync(ctx)
	if err != nil {
		return forge.Pull{}, err
	}
	main, edit := refs["refs/heads/main"], gitstore.Edit{}
	for key, texts := range edits {
		path := "environments/prod/" + key + ".yaml"
		file, ok, err := s.store.File(main, path)
		if err != nil || !ok {
			return forge.Pull{}, errors.Join(err, fmt.Errorf("%s is not in Git", path))
		}
		b, err := s.store.Blob(file.ID, answerLimit)
		if err != nil {
			return forge.Pull{}, err
		}
		if n := strings.Count(string(b), texts[0]); n != 1 {
			return forge.Pull{}, fmt.Errorf("%s says %q %d times", path, texts[0], n)
		}
		edit[path] = []byte(strings.Replace(string(b), texts[0], texts[1], 1))
	}
	c, err := s.store.Write(main, []gitstore.ID{main}, edit, s.signature(developer), title+"\n")
	if err != nil {
		return forge.Pull{}, err
	}
	ref := "refs/heads/" + branch
	if err := s.store.Push(ctx, gitstore.Update{Ref: ref, Old: refs[ref], New: c.ID}); err != nil {
		return forge.Pull{}, err
	}
	pull, err := s.hosting.open(ctx, developer, forge.Pull{Head: branch, Base: "main", Title: title, Body: "Agreed with the team leads."})
	if err != nil {
		return forge.Pull{}, err
	}
	s.say("%s pushes the branch %s with %s and opens pull request #%d, %q", developer, branch, plural(len(edits), "changed object"), pull.Number, title)
	return pull, nil
}

// changedLines are the lines of a diff that were taken away or added.
func changedLines(diff string) []string {
	var out []string
	for l := range strings.Lines(diff) {
		if (strings.HasPrefix(l, "+") || strings.HasPrefix(l, "-")) && !strings.HasPrefix(l, "+++") && !strings.HasPrefix(l, "---") {
			out = append(out, strings.TrimRight(l, "\n"))
		}
	}
	return out
}
