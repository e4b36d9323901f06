package reconciler

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/vendors/resource"
)

// The files of a state ref. base/ and deployment/ hold objects in the layout of
// the environment's own files.
const (
	seenFile       = "seen.json"
	idsFile        = "ids.json"
	decisionsFile  = "decisions.json"
	deploymentFile = "deployment.json"
	requestsDir    = "requests"
	baseDir        = "base"
	deploymentDir  = "deployment"
)

// stateSubject begins the message of every state commit, so that a tip which is not ours is noticed.
const stateSubject = "driftback state: "

// maxStateFile bounds what is read of one JSON file of the state, in bytes.
const maxStateFile = 64 << 20

// state is what an environment's state ref says, as Go values. It is loaded from
// one commit, changed by a pass, and written as a difference.
type state struct {
	tip       gitstore.ID
	seen      seen
	ids       idMap               // shared between copies, so it is never modified
	idsMoved  bool                // ids differ from what tip says
	noted     resource.Identities // what ids were last taken from
	decisions decisions
	journal   journal
	requests  map[string]Request // by file name
	raw       map[string][]byte  // the files as they stand in tip, but ids.json
}

// seen is what the last passes took note of.
type seen struct {
	Head gitstore.ID `json:"head,omitzero"` // last commit of the tracked branch that was decided on
	// Good is an earlier one, at which nothing was left to be deployed.
	Good   gitstore.ID    `json:"good,omitzero"`
	Branch string         `json:"branch,omitempty"`
	Path   string         `json:"path,omitempty"`
	Tenant string         `json:"tenant,omitempty"`
	Scope  resource.Scope `json:"scope,omitzero"` // of the reading that gave base
	// Unseen are the objects of base that Scope calls unknown because what is observed was changed, with the
	// partition in which they were seen last: a reading that covers them there may find them gone.
	Unseen map[resource.Key]string `json:"unseen,omitempty"`
	// Recent are writes of ours that readings may not show yet.
	Recent []recentWrite `json:"recent,omitempty"`
	// Adopted is set once the first import was merged, or an operator said that Git is to be trusted.
	Adopted bool `json:"adopted,omitempty"`
	// Born is the tip of the live branch when base came to be, for objects whose base is a value that live
	// never had as a whole: merged by field, or completed by the platform.
	Born      map[resource.Key]gitstore.ID `json:"born,omitempty"`
	Proposals []proposal                   `json:"proposals,omitempty"`
	// Orphans are branches with an open pull request that proposes nothing any more; it is still to be closed.
	Orphans []string `json:"orphans,omitempty"`
	// Accepts are commits of the tracked branch by which drift came in, newest last.
	Accepts []gitstore.ID `json:"accepts,omitempty"`
	// Fights are objects that we wrote over somebody else's changes lately.
	Fights map[resource.Key]fight `json:"fights,omitempty"`
	// Descriptors are digests of what the program knew of each kind when base was written, Fresh the fields that it has learnt since.
	Descriptors map[resource.Kind]string   `json:"descriptors,omitempty"`
	Fresh       map[resource.Kind][]string `json:"fresh,omitempty"`
	// Prints are keyed fingerprints of the secrets that were written, by object and name.
	Prints map[resource.Key]map[string]string `json:"prints,omitempty"`
	// Cursor is how far commands in comments were taken up; see forge.Forge.
	Cursor string `json:"cursor,omitempty"`
	// Told is what pull requests were told, by number; Replies are answers that are still to be given.
	Told map[int]told `json:"told,omitempty"`
	// Checked are the statuses that pull requests of ours have, by number.
	Checked map[int]told `json:"checked,omitempty"`
	// Looked is the commit of the tracked branch up to which pull requests were looked for that came and went between two passes.
	Looked  gitstore.ID `json:"looked,omitzero"`
	Replies []reply     `json:"replies,omitempty"`
	// Deployed are the last deployments, oldest first, and Queued what the forge was told to wait.
	Deployed []deployed `json:"deployed,omitempty"`
	Queued   *deployed  `json:"queued,omitempty"`
	// Reverts are our pull requests that take something back.
	Reverts []revertion `json:"reverts,omitempty"`
}

// A proposal is a pull request of ours: what its branch says that live is.
type proposal struct {
	Branch string      `json:"branch"`
	Base   gitstore.ID `json:"base"`        // commit of the tracked branch that it was built on
	Head   gitstore.ID `json:"head"`        // commit that we put on the branch
	At     time.Time   `json:"at,omitzero"` // when we did
	// Former are earlier versions of it, oldest first: one of them may be what was merged or closed.
	Former []version `json:"former,omitempty"`
	// Keys are the proposed objects with the hash of the live value; zero proposes a deletion.
	Keys map[resource.Key]resource.Hash `json:"keys"`
	Init bool                           `json:"init,omitempty"`
	// Number of the pull request, once known.
	Number int `json:"number,omitempty"`
	// Accepted asks the forge to merge it.
	Accepted bool `json:"accepted,omitempty"`
	// Left is where the tracked branch was when the forge refused that: it is left for a reviewer.
	Left gitstore.ID `json:"left,omitzero"`
	// Foreign is set when a person pushed to the branch: it is theirs from then on.
	Foreign bool `json:"foreign,omitempty"`
	// Closed is set when a person closed it: its values are silenced.
	Closed bool `json:"closed,omitempty"`
	// Said is the hash of what it was told of being theirs.
	Said string `json:"said,omitempty"`
}

// A version is what a proposal was before it was rebuilt.
type version struct {
	Base gitstore.ID                    `json:"base"`
	Head gitstore.ID                    `json:"head"`
	At   time.Time                      `json:"at,omitzero"`
	Keys map[resource.Key]resource.Hash `json:"keys"`
}

// versions are all that are remembered, oldest first: the last is what the proposal says now.
func (pr *proposal) versions() []version {
	return append(slices.Clone(pr.Former), version{Base: pr.Base, Head: pr.Head, At: pr.At, Keys: pr.Keys})
}

// common are the objects that all versions propose with the same values.
func (pr *proposal) common() map[resource.Key]resource.Hash {
	out := maps.Clone(pr.Keys)
	for _, v := range pr.Former {
		maps.DeleteFunc(out, func(k resource.Key, h resource.Hash) bool { was, ok := v.Keys[k]; return !ok || was != h })
	}
	return out
}

// made reports whether the commit is a version of the proposal.
func (pr *proposal) made(id gitstore.ID) bool {
	return id == pr.Head || slices.ContainsFunc(pr.Former, func(v version) bool { return v.Head == id })
}

// maxVersions bounds how many earlier versions of a proposal are remembered.
const maxVersions = 5

// decisions are what people decided for this environment.
type decisions struct {
	Suspended *suspension                    `json:"suspended,omitempty"`
	Silenced  map[resource.Key]resource.Hash `json:"silenced,omitempty"` // live values whose pull request was closed
	Ignored   map[resource.Key]ignored       `json:"ignored,omitempty"`
	Holds     []Hold                         `json:"holds,omitempty"`
	Halt      *Halt                          `json:"halt,omitempty"`
	Override  *override                      `json:"override,omitempty"`
	Accepted  map[resource.Key]resource.Hash `json:"accepted,omitempty"` // live values to be merged into Git
	// Secrets are objects whose secrets are to be written, with what Git wants of them.
	Secrets map[resource.Key]resource.Hash `json:"secrets,omitempty"`
	// Reverted are objects of which people asked to take back what live has, with what Git wants of them, until that is written.
	Reverted map[resource.Key]resource.Hash `json:"reverted,omitempty"`
	Waits    map[int]wait                   `json:"waits,omitempty"` // by pull request: what it changes is not deployed
}

type suspension struct {
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

type ignored struct {
	Hash  resource.Hash `json:"hash"`
	Until time.Time     `json:"until,omitzero"` // zero: as long as the value stays
}

// An override lets one plan pass the guards, until it expires or was carried out.
type override struct {
	Plan  string    `json:"plan"`
	By    string    `json:"by,omitempty"`
	Until time.Time `json:"until"`
	After time.Time `json:"after,omitzero"` // it counts from then on
}

// A Hold keeps objects with the values that failed from being tried again, until
// Git wants something else for one of them or somebody resumes the environment.
type Hold struct {
	Deployment string                         `json:"deployment"`
	Keys       map[resource.Key]resource.Hash `json:"keys"` // what failed, with what Git wanted
	// With are objects that the commits at fault changed too: they wait for what becomes of these.
	With map[resource.Key]resource.Hash `json:"with,omitempty"`
	// NewIDs are the platform's ids of objects that undoing had to create anew, Left what it could not put back.
	NewIDs map[resource.Key]string `json:"newIds,omitempty"`
	Left   []resource.Key          `json:"left,omitempty"`
	Reason string                  `json:"reason"`
	At     time.Time               `json:"at"`
}

// all are the objects that are held.
func (h Hold) all() map[resource.Key]resource.Hash {
	out := maps.Clone(h.With)
	if out == nil {
		return h.Keys
	}
	maps.Copy(out, h.Keys)
	return out
}

// A Halt stops an environment until somebody resumes it.
type Halt struct {
	Cause  string `json:"cause"`  // rewritten, tenant, branch: what an answer must name
	Detail string `json:"detail"` // the value that the answer accepts: a commit, a tenant
	Reason string `json:"reason"`
}

// phase of a deployment.
type phase string

const (
	phaseIdle   phase = ""       // no deployment; owner and deadline may still be a claim
	phaseIntent phase = "intent" // steps may have been carried out
	phaseUndo   phase = "undo"   // steps are being undone
)

// journal is the claim on the environment and the deployment under way.
type journal struct {
	Owner    string    `json:"owner,omitempty"`
	Deadline time.Time `json:"deadline,omitzero"`

	ID      string        `json:"id,omitempty"`
	Phase   phase         `json:"phase,omitempty"`
	Commit  gitstore.ID   `json:"commit,omitzero"`
	Since   gitstore.ID   `json:"since,omitzero"` // the commit decided on before it
	Trigger Trigger       `json:"trigger,omitempty"`
	Started time.Time     `json:"started,omitzero"`
	Cause   string        `json:"cause,omitempty"` // why it is being undone
	Steps   []journalStep `json:"steps,omitempty"`
	// Prints are those of the secrets that it sends.
	Prints map[resource.Key]map[string]string `json:"prints,omitempty"`
}

// journalStep is one change, by keys and hashes. The bodies stand in deployment/N/before and deployment/N/after.
// Base becomes what the tracked branch says of the keys at the deployment's commit.
type journalStep struct {
	Before resource.Key  `json:"before,omitzero"` // zero where the change creates
	After  resource.Key  `json:"after,omitzero"`  // zero where it deletes
	From   resource.Hash `json:"from"`
	To     resource.Hash `json:"to"`
	// ID is the platform's of the object before: one that is created anew by undoing a deletion gets another.
	ID string `json:"id,omitempty"`
}

// newState is the state of an environment that was never seen.
func newState() *state {
	return &state{raw: map[string][]byte{}, requests: map[string]Request{}}
}

// parseState reads the JSON files of a state commit.
func parseState(tip gitstore.ID, files map[string][]byte) (*state, error) {
	s := newState()
	s.tip, s.raw = tip, files
	for name, into := range map[string]any{seenFile: &s.seen, idsFile: &s.ids, decisionsFile: &s.decisions, deploymentFile: &s.journal} {
		if b, ok := files[name]; ok {
			if err := json.Unmarshal(b, into); err != nil {
				return nil, fmt.Errorf("state %s: %w", name, err)
			}
		}
	}
	delete(files, idsFile) // too large to be kept twice
	for name, b := range files {
		if path.Dir(name) != requestsDir {
			continue
		}
		var r Request
		if err := json.Unmarshal(b, &r); err != nil {
			return nil, fmt.Errorf("state %s: %w", name, err)
		}
		s.requests[path.Base(name)] = r
	}
	return s, nil
}

// edit returns what must change in the state's tree for the JSON files to say what s says.
func (s *state) edit() gitstore.Edit {
	e := gitstore.Edit{}
	put := func(name string, v any, empty bool) {
		var b []byte
		if !empty {
			b = marshal(v)
		}
		if old, ok := s.raw[name]; string(old) != string(b) || ok != (b != nil) {
			e[name] = b
		}
	}
	put(seenFile, s.seen, false)
	if s.idsMoved {
		e[idsFile] = nil
		if len(s.ids) > 0 {
			e[idsFile] = marshal(s.ids)
		}
	}
	put(decisionsFile, s.decisions, s.decisions.empty())
	put(deploymentFile, s.journal, s.journal.empty())
	for name := range s.raw {
		if path.Dir(name) == requestsDir {
			if _, kept := s.requests[path.Base(name)]; !kept {
				e[name] = nil
			}
		}
	}
	for name, q := range s.requests {
		if file := requestsDir + "/" + name; s.raw[file] == nil {
			e[file] = marshal(q)
		}
	}
	return e
}

func marshal(v any) []byte {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		panic("reconciler: " + err.Error()) // plain data always marshals
	}
	return append(b, '\n')
}

func (d decisions) empty() bool {
	return d.Suspended == nil && d.Halt == nil && d.Override == nil && len(d.Silenced)+len(d.Ignored)+len(d.Holds)+len(d.Accepted)+len(d.Secrets)+len(d.Reverted)+len(d.Waits) == 0
}

func (j journal) empty() bool { return j.Owner == "" && j.Phase == phaseIdle }

func (s *state) clone() *state {
	c := *s
	c.requests = maps.Clone(s.requests)
	c.decisions.Silenced = maps.Clone(s.decisions.Silenced)
	c.decisions.Reverted = maps.Clone(s.decisions.Reverted)
	c.decisions.Ignored = maps.Clone(s.decisions.Ignored)
	c.decisions.Accepted = maps.Clone(s.decisions.Accepted)
	c.decisions.Secrets = maps.Clone(s.decisions.Secrets)
	c.decisions.Holds = slices.Clone(s.decisions.Holds)
	c.decisions.Waits = maps.Clone(s.decisions.Waits)
	c.seen.Told, c.seen.Checked = maps.Clone(s.seen.Told), maps.Clone(s.seen.Checked)
	c.seen.Born = maps.Clone(s.seen.Born)
	c.seen.Unseen = maps.Clone(s.seen.Unseen)
	c.seen.Recent = slices.Clone(s.seen.Recent)
	c.seen.Orphans = slices.Clone(s.seen.Orphans)
	c.seen.Reverts = slices.Clone(s.seen.Reverts)
	c.seen.Proposals = slices.Clone(s.seen.Proposals)
	for i, p := range c.seen.Proposals {
		c.seen.Proposals[i].Keys = maps.Clone(p.Keys)
	}
	c.journal.Steps = slices.Clone(s.journal.Steps)
	return &c
}

// isStateCommit reports whether a commit on the state ref was made by driftback.
func isStateCommit(c gitstore.Commit) bool { return strings.HasPrefix(c.Message, stateSubject) }

// A Request is what a person asked for through the command line or a comment. It
// travels in the state ref, so that any daemon carries it out at its next pass.
type Request struct {
	Do string `json:"do"`
	// Keys are the objects meant, with the live value that the person saw. What has changed since is left alone.
	Keys   map[resource.Key]resource.Hash `json:"keys,omitempty"`
	Until  time.Time                      `json:"until,omitzero"`
	By     string                         `json:"by,omitempty"`
	Reason string                         `json:"reason,omitempty"`
	// Detail is what is meant: what a resume accepts (see Halt), the plan that is to pass the guards, or a pull request.
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"at,omitzero"`
	// After is when it is to begin to count; zero is at once.
	After time.Time `json:"after,omitzero"`
	// From is the comment that it was asked for in; nil for the command line. Not are objects of it that are left alone, with
	// the reason.
	From *origin                 `json:"from,omitempty"`
	Not  map[resource.Key]string `json:"not,omitempty"`
}

// What a Request can ask for.
const (
	DoAccept   = "accept"
	DoRevert   = "revert"
	DoIgnore   = "ignore"
	DoSuspend  = "suspend"
	DoResume   = "resume"
	DoTrustGit = "trust-git"
	DoOverride = "override"
	// DoRollback proposes to take back what was committed since the commit in Detail.
	DoRollback = "rollback"
	// DoSecrets writes the secrets of the objects in Keys with their next deployment, or by one of their own.
	DoSecrets = "secrets"
	// Asked for in comments only, as they are about the pull request there.
	doPlan   = "plan"
	doWhy    = "why"
	doHold   = "hold"
	doCancel = "cancel"
)
