package resource

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
)

var texts = []string{"", "a", "b", "$ref", "$$ref", "\xff", "\xfe", "skill/a", "true", "1", "\x00", "a\x00b", "é", "$bytes", "$bytes:ff", "Ω"}

// randomValue is a canonical value; small, so that equal ones are met often.
func randomValue(r *rand.Rand, depth int) any {
	n := 8
	if depth <= 0 {
		n = 5
	}
	text := func() string { return texts[r.IntN(len(texts))] }
	switch r.IntN(n) {
	case 0:
		return r.IntN(2) == 0
	case 1:
		return text()
	case 2:
		return json.Number(strconv.Itoa(r.IntN(3)))
	case 3:
		return Ref{Key{Kind([]string{"skill", "queue"}[r.IntN(2)]), text()}}
	case 4:
		return Secret{text()}
	case 5:
		out := make([]any, r.IntN(4))
		for i := range out {
			out[i] = randomValue(r, depth-1)
		}
		return out
	}
	return map[string]any(randomSpec(r, depth-1))
}

func randomSpec(r *rand.Rand, depth int) Spec {
	out := Spec{}
	for range r.IntN(4) {
		out[texts[r.IntN(len(texts))]] = randomValue(r, depth)
	}
	return out
}
