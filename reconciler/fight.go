package reconciler

import (
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/driftback/driftback/vendors/resource"
)

// A fight counts how often an object had to be written over what somebody else had made of it. The count decays exponentially, so
// that it is about the writes of the last hour. What is stored is the count right after a write; everything else follows from
// the time, so that a fight calms down without anything being written.
type fight struct {
	Count float64   `json:"count"`
	At    time.Time `json:"at"`
}

const (
	fightMemory = time.Hour // after which a write counts for 1/e
	fightMost   = 5.0       // above, the object is held
	fightCalm   = fightMost / 2
)

// wrote is the fight after one more write.
func (f fight) wrote(now time.Time) fight {
	return fight{Count: f.count(now) + 1, At: now.UTC()}
}

// count is how many recent writes there are, decayed.
func (f fight) count(now time.Time) float64 {
	if f.At.IsZero() {
		return 0
	}
	return f.Count * math.Exp(-max(0, now.Sub(f.At).Seconds())/fightMemory.Seconds())
}

// held reports whether the object is left alone: since the writes became too many, until half of them are forgotten.
func (f fight) held(now time.Time) bool { return f.Count > fightMost && now.Before(f.calm()) }

// calm is when a fight that is held is over, if nobody writes any more.
func (f fight) calm() time.Time {
	return f.At.Add(time.Duration(math.Log(f.Count/fightCalm) * float64(fightMemory)).Round(time.Second))
}

// noteFights counts the objects that a deployment takes back from somebody else.
func (p *pass) noteFights(changes []resource.Change) {
	base := p.baseNow()
	var next map[resource.Key]fight
	for _, k := range touched(changes) {
		if p.alike(k, p.seen, base) {
			continue // nobody else wrote it since we did
		}
		if next == nil {
			next = maps.Clone(p.st.seen.Fights)
			if next == nil {
				next = map[resource.Key]fight{}
			}
			maps.DeleteFunc(next, func(_ resource.Key, f fight) bool { return f.count(p.start) < 0.1 })
		}
		next[k] = next[k].wrote(p.start)
	}
	if next != nil {
		p.st.seen.Fights = next
	}
}

// fighting says why an object is left to somebody else; empty where it is not.
func (p *pass) fighting(it Item) string {
	f, ok := p.st.seen.Fights[it.Key]
	if !ok || it.Live == it.Base || !f.held(p.start) {
		return ""
	}
	p.report.Fights++
	return fmt.Sprintf("somebody else keeps changing it back: it was written %.0f times within an hour; it is left alone until %s, or until `driftback resume %s`",
		math.Ceil(f.Count), f.calm().UTC().Format("2006-01-02 15:04 UTC"), p.Name)
}
