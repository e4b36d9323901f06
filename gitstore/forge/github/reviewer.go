package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"
)

// maxAsked is how many people one pull request can ask for a review.
const maxAsked = 15

// ask asks those for a review who were not asked yet, and returns the digests of those that need not be asked
// again. Who cannot be asked (no access, the author, unknown address) is left out.
func (f *Forge) ask(ctx context.Context, has *gh.PullRequest, want []string, mine ours) ([]uint32, error) {
	var users, teams []string
	var done []uint32
	for _, name := range want {
		if mine.has(mine.asked, name) || len(mine.asked)+len(done) >= maxAsked {
			continue
		}
		done = append(done, digest(name))
		login := strings.TrimPrefix(name, "@")
		if strings.Contains(login, "@") {
			var err error
			if login, err = f.Login(ctx, login); err != nil {
				return nil, err
			}
		}
		_, slug, isTeam := strings.Cut(login, "/")
		switch {
		case login == "" || strings.EqualFold(login, has.GetUser().GetLogin()):
		case isTeam:
			teams = append(teams, slug)
		case !slices.ContainsFunc(has.RequestedReviewers, func(u *gh.User) bool { return strings.EqualFold(u.GetLogin(), login) }):
			users = append(users, login)
		}
	}
	if len(users)+len(teams) == 0 {
		return done, nil
	}
	all := gh.ReviewersRequest{Reviewers: users, TeamReviewers: teams}
	err := f.request(ctx, has.GetNumber(), all)
	if isCode(err, http.StatusUnprocessableEntity) && len(users)+len(teams) > 1 { // one of them spoils it for the others
		err = nil
		for _, u := range users {
			err = errors.Join(err, f.requestOne(ctx, has.GetNumber(), u, gh.ReviewersRequest{Reviewers: []string{u}}))
		}
		for _, t := range teams {
			err = errors.Join(err, f.requestOne(ctx, has.GetNumber(), t, gh.ReviewersRequest{TeamReviewers: []string{t}}))
		}
		return done, err
	}
	return done, f.tolerate(ctx, has.GetNumber(), strings.Join(slices.Concat(users, teams), ", "), err)
}

func (f *Forge) request(ctx context.Context, n int, r gh.ReviewersRequest) error {
	_, _, err := f.client.PullRequests.RequestReviewers(ctx, f.owner, f.repo, n, r)
	return err
}

func (f *Forge) requestOne(ctx context.Context, n int, who string, r gh.ReviewersRequest) error {
	return f.tolerate(ctx, n, who, f.request(ctx, n, r))
}

// tolerate tells of somebody who cannot be asked, and goes on without them.
func (f *Forge) tolerate(ctx context.Context, n int, who string, err error) error {
	left := isCode(err, http.StatusUnprocessableEntity) || isCode(err, http.StatusForbidden) || isCode(err, http.StatusNotFound)
	err = f.fail(ctx, fmt.Sprintf("ask %s to review pull request #%d", who, n), err)
	if !left || ctx.Err() != nil {
		return err
	}
	if f.once("review " + who) {
		f.log.Info("a reviewer cannot be asked", "pull", n, "reviewer", who, "err", err)
	}
	return nil
}

// A person is what is known of an e-mail address.
type person struct {
	login string // "" for unknown
	until time.Time
}

// knownFor is how long an answer about a person is believed.
const knownFor = time.Hour

// Login returns the login of who has this e-mail address: from Options.Logins, the author of a commit of the
// repository, or a public profile; "" if nobody knows.
func (f *Forge) Login(ctx context.Context, email string) (string, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if login := f.opt.Logins[email]; login != "" {
		return login, nil
	}
	if !strings.Contains(email, "@") || strings.ContainsAny(email, " \t\"<>():") {
		return "", nil
	}
	// GitHub's own addresses: ID+LOGIN@users.noreply.github.com.
	if local, ok := strings.CutSuffix(email, "@users.noreply.github.com"); ok {
		_, login, numbered := strings.Cut(local, "+")
		if !numbered {
			login = local
		}
		return login, nil
	}
	f.mu.Lock()
	known, ok := f.people[email]
	f.mu.Unlock()
	if ok && f.opt.Now().Before(known.until) {
		return known.login, nil
	}
	login, err := f.lookUp(ctx, email)
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.people) > 10_000 {
		clear(f.people)
	}
	f.people[email] = person{login, f.opt.Now().Add(knownFor)}
	return login, nil
}

func (f *Forge) lookUp(ctx context.Context, email string) (string, error) {
	commits, _, err := f.client.Repositories.ListCommits(ctx, f.owner, f.repo,
		&gh.CommitsListOptions{Author: email, ListOptions: gh.ListOptions{PerPage: 1}})
	if err != nil && !isCode(err, http.StatusConflict) { // an empty repository
		return "", f.fail(ctx, "look for commits of a person", err)
	}
	for _, c := range commits {
		if strings.EqualFold(c.GetCommit().GetAuthor().GetEmail(), email) && c.GetAuthor().GetType() != "Bot" && c.GetAuthor().GetLogin() != "" {
			return c.GetAuthor().GetLogin(), nil
		}
	}
	found, _, err := f.client.Search.Users(ctx, email+" in:email", &gh.SearchOptions{ListOptions: gh.ListOptions{PerPage: 2}})
	if isCode(err, http.StatusUnprocessableEntity) {
		return "", nil // no words to search for, or too many: nobody is found by them
	}
	if err != nil {
		return "", f.fail(ctx, "look for a person", err)
	}
	if len(found.Users) == 1 {
		return found.Users[0].GetLogin(), nil
	}
	return "", nil
}
