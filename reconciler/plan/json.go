package plan

import (
	"encoding/json"
	"fmt"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/vendors/resource"
)

type stepJSON struct {
	Action resource.Action `json:"action"` // for readers; not read back
	Object resource.Key    `json:"object,omitzero"`
	Before *objectJSON     `json:"before,omitempty"`
	After  *objectJSON     `json:"after,omitempty"`
	Fields []diff.Field    `json:"fields,omitempty"`
	Stage  int             `json:"stage"`
	Note   string          `json:"note,omitempty"`
}

type objectJSON struct {
	Key    resource.Key     `json:"key"`
	Spec   json.RawMessage  `json:"spec"`
	Origin *resource.Origin `json:"origin,omitempty"`
}

// MarshalJSON writes the step so that UnmarshalJSON restores it exactly.
func (s Step) MarshalJSON() ([]byte, error) {
	out := stepJSON{Action: s.Change.Action(), Object: s.Object, Fields: s.Fields, Stage: s.Stage, Note: s.Note}
	var err error
	if out.Before, err = packObject(s.Change.Before); err != nil {
		return nil, err
	}
	if out.After, err = packObject(s.Change.After); err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (s *Step) UnmarshalJSON(b []byte) error {
	var in stepJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if in.Before == nil && in.After == nil {
		return fmt.Errorf("step: %w: neither before nor after", ErrChange)
	}
	out := Step{Object: in.Object, Fields: in.Fields, Stage: in.Stage, Note: in.Note}
	var err error
	if out.Change.Before, err = in.Before.unpack(); err != nil {
		return err
	}
	if out.Change.After, err = in.After.unpack(); err != nil {
		return err
	}
	*s = out
	return nil
}

func packObject(r *resource.Resource) (*objectJSON, error) {
	if r == nil {
		return nil, nil
	}
	spec, err := diff.MarshalValue(r.Spec)
	if err != nil {
		return nil, fmt.Errorf("object %s: %w", r.Key, err)
	}
	return &objectJSON{Key: r.Key, Spec: spec, Origin: r.Origin}, nil
}

func (o *objectJSON) unpack() (*resource.Resource, error) {
	if o == nil {
		return nil, nil
	}
	v, err := diff.UnmarshalValue(o.Spec)
	if err != nil {
		return nil, fmt.Errorf("object %s: %w", o.Key, err)
	}
	spec, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("object %s: the spec is %s", o.Key, diff.Text(v))
	}
	return &resource.Resource{Key: o.Key, Spec: spec, Origin: o.Origin}, nil
}
