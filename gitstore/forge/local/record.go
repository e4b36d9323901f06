package local

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
)

const (
	layoutVersion = 1
	fileLimit     = 1 << 20 // bytes of a file that this package reads back
)

// header is forge.json.
type header struct {
	Version int `json:"version"`
	Pulls   int `json:"pulls"`  // the highest number given to a pull request
	Events  int `json:"events"` // the highest number given to a comment
}

// record is the file of a pull request. State is open until somebody merges or
// closes it here; see derive for what Git has to say.
type record struct {
	forge.Pull
	// BaseID is where the base branch was when this was written. The head was not in it then, unless
	// the branch was emptied: then it is not merged, whatever the base has.
	BaseID gitstore.ID `json:"baseId,omitzero"`
	// Landing is a merge about to be pushed to the base branch: done once the base has its commit.
	Landing *landing `json:"landing,omitempty"`
}

type landing struct {
	Commit gitstore.ID `json:"commit"`
	Head   gitstore.ID `json:"head"`
	By     string      `json:"by"`
	At     time.Time   `json:"at"`
}

// commandFile holds the commands of one comment.
type commandFile struct {
	Pull   int       `json:"pull"`
	Author string    `json:"author"`
	At     time.Time `json:"at"`
	Lines  []string  `json:"lines"`
}

const (
	headerPath  = "forge.json"
	pullsFolder = "pulls/"
)

func pullPath(n int) string { return fmt.Sprintf("%s%03d/%d.json", pullsFolder, n/1000, n) }

// pullNumber is the inverse of pullPath; 0 for what is no pull request.
func pullNumber(p string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(path.Base(p), ".json"))
	if err != nil || n <= 0 || pullPath(n) != p {
		return 0
	}
	return n
}

func commentFolder(pull int) string { return fmt.Sprintf("comments/%03d/%d/", pull/1000, pull) }

func commentPath(pull, event int) string {
	return commentFolder(pull) + fmt.Sprintf("%09d.json", event)
}

func commandFolder(shard int) string { return fmt.Sprintf("commands/%06d/", shard) }

func commandPath(event int) string {
	return commandFolder(event/1000) + fmt.Sprintf("%09d.json", event)
}

// eventNumber reads the number of a comment or of its commands off the path; 0 for another file.
func eventNumber(p string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(path.Base(p), ".json"))
	if err != nil {
		return 0
	}
	return n
}

func statusPath(commit gitstore.ID) string {
	s := commit.String()
	return "statuses/" + s[:2] + "/" + s[2:] + ".json"
}

func deploymentFolder(environment string) string { return "deployments/" + fileName(environment) + "/" }

func deploymentPath(environment, id string) string {
	return deploymentFolder(environment) + digest(id)[:2] + "/" + fileName(id) + ".json"
}

// fileName returns s where that is a harmless file name on every system, else "=" and a digest. The
// content of a file so named says what it is about.
func fileName(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	if s != "" && len(s) <= 64 && strings.Trim(s, plain) == "" {
		return s
	}
	return "=" + digest(s)[:32]
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// encode writes v as this package's files are: readable, so that the ref's log tells what happened.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func branchRef(name string) string { return "refs/heads/" + name }

// readJSON decodes the file at path of a commit; false if there is none.
func (f *Forge) readJSON(commit gitstore.ID, path string, v any) (bool, error) {
	if commit.IsZero() {
		return false, nil
	}
	file, ok, err := f.store.File(commit, path)
	if err != nil || !ok {
		return false, err
	}
	return true, f.readBlob(file, v)
}

func (f *Forge) readBlob(file gitstore.File, v any) error {
	b, err := f.store.Blob(file.ID, fileLimit)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("%s in %s: %w", file.Path, f.ref, err)
	}
	return nil
}

// commitID resolves what the caller calls a commit: ErrNotFound unless the store has it.
func (f *Forge) commitID(s string) (gitstore.ID, error) {
	id, err := gitstore.ParseID(s)
	if err != nil || id.IsZero() {
		return gitstore.ID{}, fmt.Errorf("commit %.60q: %w", s, forge.ErrNotFound)
	}
	_, err = f.store.CommitAt(id)
	if errors.Is(err, gitstore.ErrMissing) {
		return gitstore.ID{}, fmt.Errorf("commit %s: %w", s, forge.ErrNotFound)
	}
	return id, err
}
