package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// differences prints what differs; more are further members of the structured
// result, and tail is text that follows for people.
func (c *cli) differences(os []report.Object, more map[string]any, tail func(io.Writer)) error {
	var doc bytes.Buffer
	if err := report.JSON(&doc, os); err != nil {
		return err
	}
	value := map[string]any{}
	dec := json.NewDecoder(&doc)
	dec.UseNumber()
	if err := dec.Decode(&value); err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	delete(value, "schemaVersion")
	for k, v := range more {
		value[k] = v
	}
	if tail == nil {
		tail = func(io.Writer) {}
	}
	return c.print(result{
		value: value,
		text: func(w io.Writer) {
			_ = report.Text(w, os, report.TextOptions{Color: colourful(c.stdout)}) // into memory
			tail(w)
		},
		markdown: func(w io.Writer) {
			_ = report.Markdown(w, os)
			tail(w)
		},
	})
}

// driftObjects turns drifted items into what is shown of them: from Git to live.
func driftObjects(r reconciler.Report, items []reconciler.Item) ([]report.Object, error) {
	var out []report.Object
	chosen := map[resource.Key]bool{}
	for _, it := range items {
		chosen[it.Key] = true
	}
	for _, it := range items {
		before := it.Key
		if it.Partner.Name != "" && chosen[it.Partner] {
			if it.Live.IsZero() {
				continue // shown with the name it has now
			}
			before = it.Partner
		}
		o := report.Object{Schema: r.Schema(it.Key.Kind), Conflicts: it.Conflicts}
		var err error
		if o.Change.Before, err = r.Want(before); err != nil {
			return nil, err
		}
		if o.Change.After, err = r.Live(it.Key); err != nil {
			return nil, err
		}
		if o.Change.Before == nil && o.Change.After == nil {
			continue
		}
		if o.Change.After != nil && o.Change.After.Origin != nil {
			origin := o.Change.After.Origin
			o.Who, o.Email, o.When, o.AuditID = origin.Who, origin.Email, origin.When, origin.AuditID
		}
		out = append(out, o)
	}
	return out, nil
}

// planObjects turns a plan's steps into what is shown of them: from live to want.
func planObjects(r reconciler.Report) []report.Object {
	var out []report.Object
	for _, s := range r.Plan.Steps {
		c := s.Change
		kind := c.Key().Kind
		out = append(out, report.Object{Change: c, Schema: r.Schema(kind), Note: s.Note})
	}
	return out
}
