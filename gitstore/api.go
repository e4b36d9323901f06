package gitstore

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// The classes of failure that callers act on with errors.Is.
var (
	// ErrStale says that a ref is not where the caller expected it. Nothing was written.
	ErrStale = errors.New("ref moved meanwhile")
	// ErrUnknownOutcome says that a push may or may not have happened: the connection broke after it was sent
	// and the remote could not be asked. Sync tells.
	ErrUnknownOutcome = errors.New("outcome of the push is unknown")
	// ErrMissing says that an object that must be there cannot be read. It never means that a file is absent.
	ErrMissing = errors.New("object missing")
	// ErrTooLarge says that a blob is over the caller's limit.
	ErrTooLarge = errors.New("too large")
	// ErrAuth says that the remote refused the credentials.
	ErrAuth = errors.New("authentication refused")
	// ErrPath says that a path cannot stand in a tree.
	ErrPath = errors.New("path not allowed")
)

// An ID is the name of a Git object. The zero ID names none, and stands for an absent ref.
type ID [20]byte

// ParseID reads 40 hexadecimal digits.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*len(id) {
		return ID{}, fmt.Errorf("object id %q: want 40 hexadecimal digits", s)
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("object id %q: %w", s, err)
	}
	return id, nil
}

// IsZero reports whether id names no object.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the hexadecimal form; "" for the zero ID.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return hex.EncodeToString(id[:])
}

// MarshalText writes the hexadecimal form; empty for the zero ID.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (id *ID) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*id = ID{}
		return nil
	}
	*id, err = ParseID(string(b))
	return err
}

// A Mode is the file mode of a tree entry, as Git has it.
type Mode uint32

// The modes that Git has.
const (
	ModeDir        Mode = 0o040000
	ModeFile       Mode = 0o100644
	ModeExecutable Mode = 0o100755
	ModeSymlink    Mode = 0o120000
	ModeSubmodule  Mode = 0o160000
)

// A File is a leaf of a tree: anything but a directory.
type File struct {
	Path string // slash-separated, relative to what was listed
	ID   ID
	Mode Mode
}

// A Delta is a leaf that differs between two trees. A zero Old is new, a zero New is gone.
type Delta struct {
	Path     string
	Old, New File // Path is set in both; the ID is zero where there is none
}

// An Edit says which files change: nil content deletes; a missing file may be deleted. Paths are
// slash-separated. New files are ordinary; changed ones keep their mode.
type Edit map[string][]byte

// A Signature is an author or committer. Characters that a commit header cannot hold are replaced.
type Signature struct {
	Name, Email string
	When        time.Time
}

// A Commit is one commit as read from or written to the store.
type Commit struct {
	ID, Tree          ID
	Parents           []ID
	Author, Committer Signature
	Message           string
}

// An Update moves one ref from Old to New by compare-and-swap: a zero Old must
// be absent, a zero New deletes.
type Update struct {
	Ref      string // full name: refs/heads/live/prod
	Old, New ID
}
