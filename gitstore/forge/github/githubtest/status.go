package githubtest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

type status struct {
	id                             int64
	sha, context, state, text, url string
	author                         *Account
	at                             time.Time
}

type checkRun struct {
	id                            int64
	app                           *App
	name, sha, status, conclusion string
	externalID, detailsURL        string
	started, completed            time.Time
	title, summary, text          string
	annotations                   []obj
	actions                       []obj
}

type deployment struct {
	id                          int64
	sha, ref, task, environment string
	description                 string
	payload                     json.RawMessage
	author                      *Account
	app                         *App
	created, updated            time.Time
	transient, production       bool
	statuses                    []*deploymentStatus
}

type deploymentStatus struct {
	id                                 int64
	state, description, logURL, envURL string
	environment                        string
	author                             *Account
	app                                *App
	at                                 time.Time
}

func createStatus(c *call) (any, error) {
	sha := c.params["sha"]
	if !c.repo.has(sha) {
		return nil, refuse(http.StatusUnprocessableEntity, "No commit found for SHA: %s", sha)
	}
	var ask struct {
		State, Context, Description string
		URL                         string `json:"target_url"`
	}
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	ask.Context = orElse(ask.Context, "default")
	n := 0
	for _, s := range c.repo.statuses {
		if s.sha == sha && s.context == ask.Context {
			n++
		}
	}
	switch {
	case !slices.Contains([]string{"error", "failure", "pending", "success"}, ask.State):
		return nil, invalid("Status", "state", "custom", "state is not included in the list")
	case utf8.RuneCountInString(ask.Description) > 140:
		return nil, invalid("Status", "description", "custom", "description is too long (maximum is 140 characters)")
	case n >= 1000:
		return nil, invalid("Status", "", "custom", "This SHA and context has reached the maximum number of statuses.")
	case ask.URL != "" && !strings.HasPrefix(ask.URL, "http://") && !strings.HasPrefix(ask.URL, "https://"):
		return nil, invalid("Status", "target_url", "custom", "target_url must use http(s) scheme")
	}
	s := &status{c.id(), sha, ask.Context, ask.State, ask.Description, ask.URL, c.who.account, c.now()}
	c.repo.statuses = append(c.repo.statuses, s)
	c.repo.emit("status", c.who.account, obj{
		"id": s.id, "sha": sha, "name": c.repo.Full(), "context": s.context, "state": s.state, "description": s.text, "target_url": orNull(s.url),
		"branches": []obj{}, "created_at": stamp(s.at), "updated_at": stamp(s.at), "commit": c.commitJSON(c.repo, sha, false), "avatar_url": nil,
	})
	return c.statusJSON(s), nil
}

// of returns the statuses of a commit, newest first.
func (r *Repo) statusesOf(sha string) []*status {
	var found []*status
	for _, s := range slices.Backward(r.statuses) {
		if s.sha == sha {
			found = append(found, s)
		}
	}
	return found
}

// latest returns the newest status of each context of a commit.
func (r *Repo) latest(sha string) []*status {
	seen := map[string]bool{}
	var found []*status
	for _, s := range r.statusesOf(sha) {
		if !seen[s.context] {
			seen[s.context] = true
			found = append(found, s)
		}
	}
	return found
}

// combined is failure if one failed, pending if there is none or one is pending, else success.
func (r *Repo) combined(sha string) string {
	all := r.latest(sha)
	state := "success"
	for _, s := range all {
		switch {
		case s.state == "error" || s.state == "failure":
			return "failure"
		case s.state == "pending":
			state = "pending"
		}
	}
	if len(all) == 0 {
		return "pending"
	}
	return state
}

// succeeded reports whether a required check is successful, be it a status or a check run.
func (r *Repo) succeeded(sha, name string) bool {
	for _, s := range r.latest(sha) {
		if s.context == name {
			return s.state == "success"
		}
	}
	for _, run := range slices.Backward(r.runs) {
		if run.sha == sha && run.name == name {
			return slices.Contains([]string{"success", "neutral", "skipped"}, run.conclusion)
		}
	}
	return false
}

// commit returns the commit that the parameter ref means. GitHub answers 422 for what looks like an id and is none.
func (c *call) commit(param string) (string, error) {
	ref := c.params[param]
	if id := c.repo.resolve(ref); id != "" {
		return id, nil
	}
	return "", refuse(http.StatusUnprocessableEntity, "No commit found for SHA: %s", ref)
}

func listStatuses(c *call) (any, error) {
	sha, err := c.commit("ref")
	if err != nil {
		return nil, notFound()
	}
	return list(c, c.repo.statusesOf(sha), c.statusJSON), nil
}

func combinedStatus(c *call) (any, error) {
	sha, err := c.commit("ref")
	if err != nil {
		return nil, notFound()
	}
	all := c.repo.latest(sha)
	return obj{
		"state": c.repo.combined(sha), "sha": sha, "total_count": len(all), "statuses": list(c, all, c.simpleStatusJSON), "repository": c.repoJSON(c.repo),
		"commit_url": c.repoURL(c.repo, "/commits/"+sha), "url": c.repoURL(c.repo, "/commits/"+sha+"/status"),
	}, nil
}

// askRun is what creating and updating a check run may say.
type askRun struct {
	Name       *string
	SHA        string  `json:"head_sha"`
	DetailsURL *string `json:"details_url"`
	ExternalID *string `json:"external_id"`
	Status     *string
	StartedAt  *time.Time `json:"started_at"`
	Conclusion *string
	Completed  *time.Time `json:"completed_at"`
	Output     *struct {
		Title, Summary, Text *string
		Annotations          []obj
	}
	Actions []obj
}

func (c *call) onlyApps() error {
	if c.who.app == nil {
		return refuse(http.StatusForbidden, "You must authenticate via a GitHub App.")
	}
	return nil
}

func createCheckRun(c *call) (any, error) {
	if err := c.onlyApps(); err != nil {
		return nil, err
	}
	var ask askRun
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	switch {
	case ask.Name == nil || *ask.Name == "":
		return nil, invalid("CheckRun", "name", "missing_field", "")
	case !c.repo.has(ask.SHA):
		return nil, refuse(http.StatusUnprocessableEntity, "No commit found for SHA: %s", ask.SHA)
	}
	run := &checkRun{app: c.who.app, name: *ask.Name, sha: ask.SHA, status: "queued", started: c.now()}
	if err := c.change(run, ask); err != nil {
		return nil, err
	}
	run.id = c.id()
	c.repo.runs = append(c.repo.runs, run)
	c.repo.emit("check_run", c.who.account, obj{"action": "created", "check_run": c.eventRunJSON(run)})
	return c.runJSON(run), nil
}

// change applies what is asked for to a run; nothing if it is refused.
func (c *call) change(run *checkRun, ask askRun) error {
	next := *run
	set(&next.name, ask.Name)
	set(&next.detailsURL, ask.DetailsURL)
	set(&next.externalID, ask.ExternalID)
	set(&next.started, ask.StartedAt)
	set(&next.status, ask.Status)
	if ask.Conclusion != nil {
		next.conclusion, next.status, next.completed = *ask.Conclusion, "completed", c.now()
	} else if ask.Status != nil && *ask.Status != "completed" {
		next.conclusion, next.completed = "", time.Time{}
	}
	set(&next.completed, ask.Completed)
	if next.status == "completed" && next.conclusion == "" {
		return invalid("CheckRun", "conclusion", "missing_field", "")
	}
	if ask.Actions != nil {
		if len(ask.Actions) > 3 {
			return invalid("CheckRun", "actions", "invalid", "at most three")
		}
		next.actions = ask.Actions
	}
	if o := ask.Output; o != nil {
		if len(o.Annotations) > 50 {
			return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\nNo more than 50 items are allowed; %d were supplied.", len(o.Annotations))
		}
		set(&next.title, o.Title)
		set(&next.summary, o.Summary)
		set(&next.text, o.Text)
		if len(next.summary) > 65535 || len(next.text) > 65535 {
			return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\nOnly 65535 characters are allowed in output.")
		}
		next.annotations = append(slices.Clone(next.annotations), o.Annotations...)
	}
	*run = next
	return nil
}

func (c *call) run() (*checkRun, error) {
	id := c.number("check_run_id")
	for _, r := range c.repo.runs {
		if r.id == id {
			return r, nil
		}
	}
	return nil, notFound()
}

func updateCheckRun(c *call) (any, error) {
	if err := c.onlyApps(); err != nil {
		return nil, err
	}
	run, err := c.run()
	if err != nil {
		return nil, err
	}
	if run.app != c.who.app {
		return nil, refuse(http.StatusForbidden, "Invalid app_id `%d` - check run can only be modified by the GitHub App that created it.", c.who.app.ID)
	}
	var ask askRun
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	if err := c.change(run, ask); err != nil {
		return nil, err
	}
	if run.status == "completed" {
		c.repo.emit("check_run", c.who.account, obj{"action": "completed", "check_run": c.eventRunJSON(run)})
	}
	return c.runJSON(run), nil
}

func getCheckRun(c *call) (any, error) {
	run, err := c.run()
	if err != nil {
		return nil, err
	}
	return c.runJSON(run), nil
}

func listAnnotations(c *call) (any, error) {
	run, err := c.run()
	if err != nil {
		return nil, err
	}
	return list(c, run.annotations, func(a obj) obj {
		out := obj{"start_column": nil, "end_column": nil, "title": nil, "raw_details": nil, "blob_href": c.html("%s/blob/%s/%v", c.repo.Full(), run.sha, a["path"])}
		maps.Copy(out, a)
		return out
	}), nil
}

func listRuns(c *call) (any, error) {
	sha, err := c.commit("ref")
	if err != nil {
		return nil, err
	}
	var found []*checkRun
	seen := map[string]bool{}
	for _, r := range slices.Backward(c.repo.runs) {
		key := itoa(r.app.ID) + " " + r.name
		q := c.query
		if r.sha != sha || q.Get("check_name") != "" && q.Get("check_name") != r.name || q.Get("status") != "" && q.Get("status") != r.status ||
			q.Get("app_id") != "" && q.Get("app_id") != itoa(r.app.ID) || q.Get("filter") != "all" && seen[key] {
			continue
		}
		seen[key] = true
		found = append(found, r)
	}
	return obj{"total_count": len(found), "check_runs": list(c, found, c.runJSON)}, nil
}

func rerequestRun(c *call) (any, error) {
	run, err := c.run()
	if err != nil {
		return nil, err
	}
	c.repo.rerequest(run, c.who.account)
	return obj{}, nil
}

func (r *Repo) rerequest(run *checkRun, by *Account) {
	// The event shows it as it was (octokit's schemas).
	r.emit("check_run", by, obj{"action": "rerequested", "check_run": r.s.call(r).eventRunJSON(run)})
	run.status, run.conclusion, run.completed = "queued", "", time.Time{}
}

func createDeployment(c *call) (any, error) {
	ask := struct {
		Ref, Task, Environment, Description string
		AutoMerge                           bool      `json:"auto_merge"`
		Contexts                            *[]string `json:"required_contexts"`
		Payload                             json.RawMessage
		Transient                           bool  `json:"transient_environment"`
		Production                          *bool `json:"production_environment"`
	}{Task: "deploy", Environment: "production", AutoMerge: true}
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	sha := c.repo.resolve(ask.Ref)
	if sha == "" {
		return nil, refuse(http.StatusUnprocessableEntity, "No ref found for: %s", ask.Ref)
	}
	if utf8.RuneCountInString(ask.Description) > 140 {
		return nil, invalid("Deployment", "description", "custom", "description is too long (maximum is 140 characters)")
	}
	if main := c.repo.branch(c.repo.def); ask.AutoMerge && c.repo.branch(ask.Ref) != "" && !c.repo.contains(sha, main) {
		return c.autoMerge(ask.Ref, sha, main)
	}
	if contexts := ask.Contexts; contexts == nil && len(c.repo.latest(sha)) > 0 && c.repo.combined(sha) != "success" ||
		contexts != nil && slices.ContainsFunc(*contexts, func(x string) bool { return !c.repo.succeeded(sha, x) }) {
		return nil, refuse(http.StatusConflict, "Conflict: Commit status checks failed for %s.", ask.Ref)
	}
	d := &deployment{
		id: c.id(), sha: sha, ref: ask.Ref, task: ask.Task, environment: ask.Environment, description: ask.Description, payload: ask.Payload,
		author: c.who.account, app: c.who.app, created: c.now(), updated: c.now(), transient: ask.Transient, production: ask.Environment == "production",
	}
	set(&d.production, ask.Production)
	c.repo.deployments = append(c.repo.deployments, d)
	c.repo.emit("deployment", c.who.account, obj{"action": "created", "deployment": c.deploymentJSON(d), "workflow": nil, "workflow_run": nil})
	return c.deploymentJSON(d), nil
}

// autoMerge brings the default branch into one that is to be deployed, which is what GitHub does unless told otherwise.
func (c *call) autoMerge(branch, sha, main string) (any, error) {
	tree, err := c.repo.mergeTree(sha, main)
	if err != nil {
		return nil, refuse(http.StatusConflict, "Conflict merging %s into %s.", c.repo.def, branch)
	}
	by := signature{orElse(c.who.account.Name, c.who.login()), c.who.account.mail(), c.now()}
	id, err := c.repo.commit(tree, "Merge branch '"+c.repo.def+"' into "+branch+"\n", by, by, sha, main)
	if err == nil {
		err = c.repo.setRef("refs/heads/"+branch, sha, id)
	}
	if err != nil {
		return nil, err
	}
	c.repo.sync(c.who.account)
	return &reply{status: http.StatusAccepted, body: obj{"message": "Auto-merged " + c.repo.def + " into " + branch + " on deployment."}}, nil
}

func (c *call) deployment() (*deployment, error) {
	id := c.number("deployment_id")
	for _, d := range c.repo.deployments {
		if d.id == id {
			return d, nil
		}
	}
	return nil, notFound()
}

func listDeployments(c *call) (any, error) {
	var found []*deployment
	for _, d := range slices.Backward(c.repo.deployments) {
		ok := true
		for name, value := range map[string]string{"sha": d.sha, "ref": d.ref, "task": d.task, "environment": d.environment} {
			want := c.query.Get(name)
			ok = ok && (want == "" || want == "none" || want == value)
		}
		if ok {
			found = append(found, d)
		}
	}
	return list(c, found, c.deploymentJSON), nil
}

func getDeployment(c *call) (any, error) {
	d, err := c.deployment()
	if err != nil {
		return nil, err
	}
	return c.deploymentJSON(d), nil
}

func createDeploymentStatus(c *call) (any, error) {
	d, err := c.deployment()
	if err != nil {
		return nil, err
	}
	var ask struct {
		State, Description, Environment string
		LogURL                          string `json:"log_url"`
		TargetURL                       string `json:"target_url"`
		EnvURL                          string `json:"environment_url"`
		AutoInactive                    *bool  `json:"auto_inactive"`
	}
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(ask.Description) > 140 {
		return nil, invalid("DeploymentStatus", "description", "custom", "description is too long (maximum is 140 characters)")
	}
	st := &deploymentStatus{
		id: c.id(), state: ask.State, description: ask.Description, logURL: orElse(ask.LogURL, ask.TargetURL), envURL: ask.EnvURL,
		environment: orElse(ask.Environment, d.environment), author: c.who.account, app: c.who.app, at: c.now(),
	}
	d.statuses, d.updated, d.environment = append(d.statuses, st), c.now(), st.environment
	if ask.State == "success" && (ask.AutoInactive == nil || *ask.AutoInactive) {
		c.inactivate(d)
	}
	c.repo.emit("deployment_status", c.who.account, obj{
		"action": "created", "deployment": c.deploymentJSON(d), "deployment_status": c.deploymentStatusJSON(d, st),
	})
	return c.deploymentStatusJSON(d, st), nil
}

// inactivate ends the successful deployments before one, of the same environment: GitHub does so where the environment
// is neither transient nor production.
func (c *call) inactivate(d *deployment) {
	for _, old := range c.repo.deployments {
		if old == d || old.environment != d.environment || old.transient || old.production || len(old.statuses) == 0 ||
			old.statuses[len(old.statuses)-1].state != "success" {
			continue
		}
		old.statuses = append(old.statuses, &deploymentStatus{id: c.id(), state: "inactive", environment: old.environment, author: c.who.account, app: c.who.app, at: c.now()})
		old.updated = c.now()
	}
}

func listDeploymentStatuses(c *call) (any, error) {
	d, err := c.deployment()
	if err != nil {
		return nil, err
	}
	newest := slices.Clone(d.statuses)
	slices.Reverse(newest)
	return list(c, newest, func(s *deploymentStatus) obj { return c.deploymentStatusJSON(d, s) }), nil
}
