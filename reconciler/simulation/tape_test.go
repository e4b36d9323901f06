// Package simulation drives the reconciler, whole and unmodified, through random
// histories of edits, merges, faults, crashes and second daemons, in virtual time,
// and checks the promises from outside: on Git and on the platform.
//
// One tape of numbers decides everything that is random in a history. A history
// that fails is told by its seed; its tape is shrunk, and belongs into testdata
// then, where it is replayed for ever.
package simulation

import "math/rand/v2"

// A tape is the only source of chance: schedule, faults, people, parameters. 0 always
// means the simplest: no fault, the first choice.
type tape struct {
	random *rand.Rand // nil replays
	// generation is that of the moves that the choices are about: what was recorded before there were others keeps its meaning.
	generation int
	in         []uint16
	used       []uint16
}

// generation of the histories that are told now; testdata has a folder for each.
const generation = 4

func newTape(seed uint64) *tape {
	return &tape{random: rand.New(rand.NewPCG(seed, 0x5eed)), generation: generation}
}

func replay(in []uint16) *tape { return &tape{in: in, generation: generation} }

// pick returns a number in [0, n).
func (t *tape) pick(n int) int {
	if n <= 1 {
		return 0
	}
	v := 0
	switch {
	case t.random != nil:
		v = t.random.IntN(n)
	case len(t.used) < len(t.in):
		v = int(t.in[len(t.used)]) % n
	}
	t.used = append(t.used, uint16(v))
	return v
}

// flip is true in so many of a thousand cases.
func (t *tape) flip(permille int) bool { return permille > 0 && t.pick(1000) >= 1000-permille }

// shrink edits a failing tape while it keeps failing in the same way: cut the tail,
// delete blocks, zero blocks. It needs to know nothing of what the numbers mean.
func shrink(in []uint16, budget int, fails func([]uint16) ([]uint16, bool)) []uint16 {
	s := shrinker{cur: in, left: budget, fails: fails}
	for again := true; again && s.left > 0; {
		again = s.cutTail()
		for size := 64; size > 0; size /= 2 {
			again = s.blocks(size) || again
		}
	}
	return s.cur
}

type shrinker struct {
	cur   []uint16
	left  int
	fails func([]uint16) ([]uint16, bool)
}

func (s *shrinker) try(c []uint16) bool {
	if s.left <= 0 {
		return false
	}
	s.left--
	used, bad := s.fails(c)
	if !bad {
		return false
	}
	if len(used) < len(c) {
		c = used
	}
	for len(c) > 0 && c[len(c)-1] == 0 {
		c = c[:len(c)-1]
	}
	s.cur = append([]uint16(nil), c...)
	return true
}

func (s *shrinker) cutTail() (any bool) {
	for cut := len(s.cur) / 2; cut > 0; cut /= 2 {
		for len(s.cur) > cut && s.try(append([]uint16(nil), s.cur[:len(s.cur)-cut]...)) {
			any = true
		}
	}
	return any
}

func (s *shrinker) blocks(size int) (any bool) {
	for i := 0; i+size <= len(s.cur); {
		without := append(append([]uint16(nil), s.cur[:i]...), s.cur[i+size:]...)
		if s.try(without) {
			any = true
			continue
		}
		zeroed, changed := append([]uint16(nil), s.cur...), false
		for j := i; j < i+size; j++ {
			changed = changed || zeroed[j] != 0
			zeroed[j] = 0
		}
		if changed && s.try(zeroed) {
			any = true
		}
		i += size
	}
	return any
}
