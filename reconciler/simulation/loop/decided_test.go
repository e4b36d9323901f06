package loop

import (
	"slices"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/vendors/resource"
)

// decided checks that in mode sync what a person typed gives way only to what people decided
// since: another value of that very field in Git, or a command.
func (c *checker) decided(before, after map[resource.Key]resource.Spec) {
	if c.w.p.Enforce {
		return
	}
	base := c.w.tree(c.w.refs()[stateRef], "base")
	for i := range 8 {
		k := thing(i)
		if _, known := base[k]; !known {
			continue // a creation of Git's own, whatever was there before the environment was adopted
		}
		for _, f := range []string{"a", "b"} {
			was, is := before[k][f], after[k][f]
			if was == is {
				continue
			}
			who, at, gone := c.typed(k, f)
			if gone && before[k] != nil {
				continue // the object under this name is another one since
			}
			if who == "driftback" || who == "" || c.duringDeployment(at) || before[k] != nil && c.backToBase(k, f, was, at) || c.gitSaid(k, f, was, at) || slices.ContainsFunc(c.asked, func(t time.Time) bool { return !t.Before(at) }) {
				continue
			}
			if r, ok := c.w.reviewed[gitPath(k)]; ok && !r.Before(at) {
				continue // a reviewer looked at the object with the edit in it, and merged it otherwise
			}
			if !c.mainMoved(k, f, at) {
				c.w.fail("sync never undoes a hand edit by itself", "%s.%s: %v, typed by %s at %s, becomes %v while Git says as before", k, f, was, who, at.Format("15:04:05"), is)
			}
		}
	}
}

// gitSaid reports whether the edit only brought about what main had said, and that was not decided on yet: then what main says next is
// pending (rule 4).
func (c *checker) gitSaid(k resource.Key, f string, was any, at time.Time) bool {
	decided := false
	for _, m := range slices.Backward(c.mains) {
		if m.since.After(at) {
			continue
		}
		if decided = decided || slices.ContainsFunc(c.heads, func(h mainTip) bool { return h.id == m.id && h.since.Before(at) }); decided {
			return false
		}
		if was == c.mainField(m.id, k, f) {
			return true
		}
	}
	return false
}

// typed tells who last changed a field, and when; a deletion changes all of them. Where an object comes back under its
// name with the value that it had, as by a rename and another one back, nobody typed that anew.
func (c *checker) typed(k resource.Key, f string) (who string, at time.Time, gone bool) {
	var value any
	var left struct { // what the field was before the object went
		who   string
		at    time.Time
		value any
	}
	for i, v := range c.w.platform.History(k) {
		if v.Who == "driftback" && !v.When.Before(c.w.now) {
			break // the write that is being checked
		}
		switch {
		case gone && v.Spec != nil && v.Spec[f] == left.value:
			who, at, value, gone = left.who, left.at, left.value, false
		case i == 0 || v.Spec[f] != value:
			if v.Spec == nil {
				left.who, left.at, left.value = who, at, value
			}
			who, at, value, gone = v.Who, v.When, v.Spec[f], v.Spec == nil
		}
	}
	return who, at, gone
}

func (c *checker) mainAt(t time.Time) gitstore.ID {
	var id gitstore.ID
	for _, m := range c.mains {
		if !m.since.After(t) {
			id = m.id
		}
	}
	return id
}

// mainMoved reports whether main said something else of the field in between; of a field that
// Git never named, whether it said something else of the object.
func (c *checker) mainMoved(k resource.Key, f string, since time.Time) bool {
	ids := []gitstore.ID{c.mainAt(since)}
	for _, m := range c.mains {
		if !m.since.Before(since) {
			ids = append(ids, m.id)
		}
	}
	values, objects := map[string]bool{}, map[string]bool{}
	for _, id := range ids {
		values[c.mainField(id, k, f)] = true
		objects[c.w.tree(id, "environments/"+envName)[k]] = true
	}
	return len(values) > 1 || values[""] && len(objects) > 1
}

func (c *checker) mainField(commit gitstore.ID, k resource.Key, f string) string {
	file, ok, err := c.w.store.File(commit, gitPath(k))
	if err != nil || !ok {
		return ""
	}
	v, _ := c.w.spec(file.ID)[f].(string)
	return v
}
