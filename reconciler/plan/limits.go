package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// Limits bound what one plan may do without somebody having looked. A negative
// number sets no limit. The zero Limits permit no change at all.
type Limits struct {
	Deletes int     `json:"deletes"` // deletions that are still fine
	Share   float64 `json:"share"`   // changed objects that are still fine, as a part of all: 0.2 is a fifth
	// MinShare is the number of changed objects up to which Share does not count.
	MinShare int `json:"minShare"`
}

// DefaultLimits apply where the operator says nothing.
var DefaultLimits = Limits{Deletes: 10, Share: 0.20, MinShare: 10}

// A Breach is a limit that a plan exceeds.
type Breach struct {
	Limit   string `json:"limit"` // deletes or changes
	Count   int    `json:"count"` // objects that would be deleted or changed
	Total   int    `json:"total"` // objects there are
	Allowed Limits `json:"allowed"`
}

// String says in a sentence what is too much.
func (b Breach) String() string {
	if b.Limit == "deletes" {
		return fmt.Sprintf("%s would be deleted; the guard allows %d.", objects(b.Count), b.Allowed.Deletes)
	}
	of := "there are none yet"
	if b.Total > 0 {
		of = fmt.Sprintf("that is %s of %d", percent(float64(b.Count)/float64(b.Total)), b.Total)
	}
	return fmt.Sprintf("%s would change, and %s; the guard allows %s.", objects(b.Count), of, percent(b.Allowed.Share))
}

func objects(n int) string {
	if n == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", n)
}

func percent(share float64) string {
	return strconv.FormatFloat(float64(int(share*1000+0.5))/10, 'f', -1, 64) + "%"
}

// Check returns the limits that the changes exceed; total is how many objects
// there are before the changes. A change counts once, whatever it does; only
// what is there no more under any key counts as deleted.
func (l Limits) Check(changes []resource.Change, total int) []Breach {
	deletes := 0
	for _, c := range changes {
		if c.Action() == resource.Delete {
			deletes++
		}
	}
	var out []Breach
	if l.Deletes >= 0 && deletes > l.Deletes {
		out = append(out, Breach{Limit: "deletes", Count: deletes, Total: total, Allowed: l})
	}
	// A share such as 0.29 is a little less than it says: 29 of 100 are no breach of 29 %.
	const slack = 1 + 1e-9
	n := len(changes)
	if l.Share >= 0 && n > l.MinShare && float64(n) > l.Share*float64(total)*slack {
		out = append(out, Breach{Limit: "changes", Count: n, Total: total, Allowed: l})
	}
	return out
}

// ParseLimits reads the operator's guard: deletes as a number, changes as a
// percentage such as 20% or 12.5%. "off" sets no limit, and empty text keeps the default.
func ParseLimits(deletes, changes string) (Limits, error) {
	l := DefaultLimits
	switch deletes {
	case "":
	case "off":
		l.Deletes = -1
	default:
		n, err := strconv.Atoi(deletes)
		if err != nil || n < 0 {
			return Limits{}, fmt.Errorf(`guard deletes %q: want a number such as 10, or "off"`, deletes)
		}
		l.Deletes = n
	}
	switch changes {
	case "":
	case "off":
		l.Share = -1
	default:
		digits, ok := strings.CutSuffix(changes, "%")
		x, err := strconv.ParseFloat(digits, 64)
		if !ok || err != nil || !(x >= 0 && x <= 100) {
			return Limits{}, fmt.Errorf(`guard changes %q: want a percentage such as 20%%, or "off"`, changes)
		}
		l.Share = x / 100
	}
	return l, nil
}
