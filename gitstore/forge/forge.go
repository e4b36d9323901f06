// Package forge is the review side of a Git host as driftback needs it: pull
// requests, comments, statuses, deployments. Adapters live below it; forgetest is
// the suite that every one of them passes.
//
// Every method says how things shall be: calling it twice is calling it once. So
// a pass that was cut off is simply repeated.
package forge

import (
	"context"
	"errors"
	"slices"
	"time"
)

// The classes of failure that callers act on with errors.Is.
var (
	// ErrNotFound says that there is no such pull request or commit.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that a merge does not come out clean.
	ErrConflict = errors.New("does not merge cleanly")
	// ErrNotAllowed says that the forge's rules do not permit it, such as a missing review.
	ErrNotAllowed = errors.New("not allowed by the forge's rules")
	// ErrMoved says that the pull request's head is no longer the expected one.
	ErrMoved = errors.New("head moved meanwhile")
	// ErrEmpty says that the head branch holds nothing that its base does not have already.
	ErrEmpty = errors.New("nothing to merge")
	// ErrInvalid says that the request itself must change: a name that cannot be, a text over the limit.
	ErrInvalid = errors.New("not acceptable")
)

// State of a pull request.
type State string

// The states. A merged pull request is not closed.
const (
	Open   State = "open"
	Merged State = "merged"
	Closed State = "closed"
)

// A Pull is a pull request.
type Pull struct {
	Number int      `json:"number"`
	Head   string   `json:"head"`             // branch, without refs/heads/
	Base   string   `json:"base"`             // branch
	HeadID string   `json:"headId,omitempty"` // commit at the head; after merging or closing, the one it had then
	Title  string   `json:"title"`
	Body   string   `json:"body,omitempty"` // Markdown
	State  State    `json:"state"`
	Draft  bool     `json:"draft,omitempty"`
	Labels []string `json:"labels,omitempty"`
	Author string   `json:"author,omitempty"`
	// Reviewers are logins, or ORGANISATION/TEAM, whose review is asked for. EnsurePull adds them and
	// removes nobody, and one that cannot be asked is left out.
	Reviewers []string `json:"reviewers,omitempty"`
	// Fork says that the head is in another repository. Nothing in it may be trusted.
	Fork bool `json:"fork,omitempty"`
	// HeadRef is the ref of the repository itself under which the head can be fetched, also that of a fork.
	HeadRef string `json:"headRef,omitempty"`
	// BaseID is the commit at the base branch, where the forge says. It may be late.
	BaseID string `json:"baseId,omitempty"`
	// MergeCommit is the last commit that merging put on the base branch.
	MergeCommit string    `json:"mergeCommit,omitempty"`
	ClosedBy    string    `json:"closedBy,omitempty"` // who merged or closed it
	URL         string    `json:"url,omitempty"`
	Created     time.Time `json:"created,omitzero"`
	Updated     time.Time `json:"updated,omitzero"`
}

// A Comment is one comment on a pull request.
type Comment struct {
	ID      string    `json:"id"`
	Key     string    `json:"key,omitempty"` // of EnsureComment; empty for a person's
	Author  string    `json:"author"`
	Body    string    `json:"body"`
	Created time.Time `json:"created"`
	// Reactions of ours to a person's comment, sorted. A forge need not tell of them.
	Reactions []string `json:"reactions,omitempty"`
}

// Filter selects pull requests. Zero fields select all.
type Filter struct {
	State State
	Head  string
	Base  string
	// Newest selects at most so many of those that match, the newest: it costs one request. Of long histories a forge may look
	// at the newest hundred only, and it need not tell who closed them. 0: all.
	Newest int
}

// A Status is a verdict on a commit: a check run where the forge has them, else
// a commit status, which shows neither Title nor Summary nor Annotations.
type Status struct {
	Context     string `json:"context"`               // which verdict: driftback/prod
	State       string `json:"state"`                 // pending, success, failure, error
	Description string `json:"description,omitempty"` // at most 140 characters
	URL         string `json:"url,omitempty"`
	// Title is one line, of at most MaxTitle characters; an empty one is the description.
	Title       string       `json:"title,omitempty"`
	Summary     string       `json:"summary,omitempty"` // Markdown, at most MaxBody bytes
	Annotations []Annotation `json:"annotations,omitempty"`
}

// Equal reports whether two statuses say the same.
func (s Status) Equal(o Status) bool {
	return s.Context == o.Context && s.State == o.State && s.Description == o.Description && s.URL == o.URL &&
		s.Title == o.Title && s.Summary == o.Summary && slices.Equal(s.Annotations, o.Annotations)
}

// An Annotation is a remark on lines of a file of the commit.
type Annotation struct {
	Path    string `json:"path"`
	Line    int    `json:"line"`    // counted from 1
	EndLine int    `json:"endLine"` // the last line
	Level   string `json:"level"`   // notice, warning, failure
	Message string `json:"message"` // plain text, at most MaxMessage characters
}

// A Deployment tells the forge of a deployment of a commit to an environment.
type Deployment struct {
	ID          string `json:"id"` // of the daemon's journal: the same deployment has the same id
	Environment string `json:"environment"`
	Commit      string `json:"commit"`
	State       string `json:"state"` // queued, in_progress, success, failure, inactive
	Description string `json:"description,omitempty"`
	URL         string `json:"url,omitempty"`
}

// A Command is what a person asked for in a comment, or by other means of the forge.
type Command struct {
	ID     string    `json:"id"` // unique and stable
	Pull   int       `json:"pull"`
	Author string    `json:"author"`
	Text   string    `json:"text"` // the line: /drift accept queue/Support
	At     time.Time `json:"at"`
	// Write says that the author may write to the repository.
	Write bool `json:"write,omitempty"`
	// Teams are those of the author among the teams that the forge was configured to look up, sorted.
	Teams []string `json:"teams,omitempty"`
}

// Reactions by which a command is acknowledged.
const (
	Eyes     = "eyes"     // it was read
	Rocket   = "rocket"   // it was done
	Confused = "confused" // it was not understood, or refused
)

// AnswerKey is the key of the comment that answers a command.
func AnswerKey(id string) string { return "answer/" + id }

type recent struct{}

// Recent returns a context for reading what may be as old as the client's last look at the forge, where looking again costs
// a request. It suits whoever looks again soon.
func Recent(ctx context.Context) context.Context { return context.WithValue(ctx, recent{}, true) }

// MayBeRecent reports whether ctx is such a context.
func MayBeRecent(ctx context.Context) bool { return ctx.Value(recent{}) != nil }

// A Forge is where pull requests live.
type Forge interface {
	// EnsurePull makes the open pull request whose head branch is p.Head be as p says, creating it
	// where none is open, and returns it. Only Title, Body, Draft, Labels, Base and Reviewers of an existing one
	// change; an empty Base leaves it as it is. With p.State Closed it closes the open one, if any, leaving its
	// branch, and returns it; the zero Pull where none is open. Both branches must exist when one is
	// created (ErrNotFound), and the head must have commits that the base has not (ErrEmpty).
	EnsurePull(ctx context.Context, p Pull) (Pull, error)
	// Pulls returns the matching pull requests, newest first.
	Pulls(ctx context.Context, f Filter) ([]Pull, error)
	// EnsureComment makes the one comment of ours with this key on pull request n have this body. An empty body removes it.
	EnsureComment(ctx context.Context, n int, key, body string) error
	// Comments returns all comments of a pull request, oldest first.
	Comments(ctx context.Context, n int) ([]Comment, error)
	// SetStatus sets the status of a commit under s.Context. A description over MaxDescription is cut.
	SetStatus(ctx context.Context, commit string, s Status) error
	// EnsureDeployment makes the deployment d.ID of d.Environment have this state.
	EnsureDeployment(ctx context.Context, d Deployment) error
	// Merge merges pull request n by a merge commit if its head is headID and the rules permit it: ErrMoved,
	// ErrConflict, ErrNotAllowed (also for drafts and what is closed). Merging what is merged returns it. The
	// message is the commit's body.
	Merge(ctx context.Context, n int, headID, message string) (Pull, error)
	// Commands returns what people asked for since the cursor, oldest first, and the next cursor. An empty cursor means from now on.
	Commands(ctx context.Context, cursor string) ([]Command, string, error)
	// Answer acknowledges a command: the comment that it stands in has this reaction of ours, beside earlier ones, and
	// the comment of ours with the key AnswerKey(c.ID) has this body. An empty reaction or body leaves that part as
	// it is. A comment that is gone needs no reaction. Only ID and Pull of c count.
	Answer(ctx context.Context, c Command, reaction, body string) error
}

// A Protector knows which branches have rules. Optional: where a forge does not tell, every branch counts as protected.
type Protector interface {
	// Protected reports whether rules of the forge stand between a push and the branch. Nothing is pushed to such a
	// branch, also where our account is exempt from them.
	Protected(ctx context.Context, branch string) (bool, error)
}

// A Linker knows the addresses of pages for people. Optional.
type Linker interface {
	// BranchURL is the address of the page that lists a branch's commits.
	BranchURL(branch string) string
}
