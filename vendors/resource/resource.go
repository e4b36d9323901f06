package resource

import "time"

// A Resource is one object. A nil Spec never occurs in one that exists.
type Resource struct {
	Key    Key
	Spec   Spec
	Origin *Origin // never compared; nil when nothing is known
}

// An Origin says where an observed object came from. It is true in one
// environment only and takes no part in equality.
type Origin struct {
	ID      string    `json:"id,omitempty"`      // opaque id on the platform; survives a rename
	Version string    `json:"version,omitempty"` // the platform's own guard against lost updates, if it has one
	Who     string    `json:"who,omitempty"`     // login or name of the last person to change it, empty when unknown
	Email   string    `json:"email,omitempty"`
	When    time.Time `json:"when,omitzero"`     // of the last change, zero when unknown
	AuditID string    `json:"auditId,omitempty"` // of the platform's audit record
}

// A Change turns Before into After. A nil Before creates, a nil After deletes,
// and differing keys rename. Before is what was observed when the change was
// decided: whoever applies it writes nothing where live is no longer that.
type Change struct {
	Before, After *Resource
}

// Key returns the key under which the object is found before the change, or
// after it where the change creates.
func (c Change) Key() Key {
	if c.Before != nil {
		return c.Before.Key
	}
	return c.After.Key
}

// Action names what a change does to an object.
type Action string

// The four things that can happen to an object.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
	Rename Action = "rename"
)

// Action classifies the change.
func (c Change) Action() Action {
	switch {
	case c.Before == nil:
		return Create
	case c.After == nil:
		return Delete
	case c.Before.Key != c.After.Key:
		return Rename
	}
	return Update
}
