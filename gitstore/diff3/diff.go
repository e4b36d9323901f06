package diff3

import "math"

// A change replaces a[a0:a1] by b[b0:b1].
type change struct{ a0, a1, b0, b1 int }

// diff returns what turns a into b, in order, no two changes touching. It is a shortest script unless the texts
// are long and differ much.
func diff(a, b []int) []change {
	d := differ{gone: make([]bool, len(a)+1), born: make([]bool, len(b)+1)}
	lo, hiA, hiB := 0, len(a), len(b)
	for lo < hiA && lo < hiB && a[lo] == b[lo] {
		lo++
	}
	for hiA > lo && hiB > lo && a[hiA-1] == b[hiB-1] {
		hiA--
		hiB--
	}
	d.a, d.atA = shared(a, b[lo:hiB], lo, hiA, d.gone)
	d.b, d.atB = shared(b, a[lo:hiA], lo, hiB, d.born)
	n := len(d.a) + len(d.b)
	d.fwd, d.bwd, d.mid = make([]int, n+3), make([]int, n+3), len(d.b)+1
	d.limit = max(256, int(math.Sqrt(float64(n))))
	d.compare(0, len(d.a), 0, len(d.b))
	slide(a, d.gone, d.born)
	slide(b, d.born, d.gone)
	return changes(d.gone, d.born)
}

// shared returns the lines of a[lo:hi] that also stand in other, with their places. The others are marked: they
// are changed whatever else is.
func shared(a, other []int, lo, hi int, marked []bool) (lines, at []int) {
	has := make(map[int]struct{}, len(other))
	for _, line := range other {
		has[line] = struct{}{}
	}
	for i := lo; i < hi; i++ {
		if _, ok := has[a[i]]; ok {
			lines, at = append(lines, a[i]), append(at, i)
		} else {
			marked[i] = true
		}
	}
	return lines, at
}

// A differ finds a shortest edit script by divide and conquer (Myers, "An O(ND) Difference Algorithm", 1986, section 4b).
type differ struct {
	a, b       []int
	atA, atB   []int // places of the lines in the whole texts
	gone, born []bool
	// For each diagonal x-y, shifted by mid: how far the search from the start got, and that from the end.
	fwd, bwd []int
	mid      int
	limit    int // of edits searched for in one step
}

// compare marks what differs between a[x0:x1] and b[y0:y1].
func (d *differ) compare(x0, x1, y0, y1 int) {
	for {
		for x0 < x1 && y0 < y1 && d.a[x0] == d.b[y0] {
			x0++
			y0++
		}
		for x0 < x1 && y0 < y1 && d.a[x1-1] == d.b[y1-1] {
			x1--
			y1--
		}
		if x0 == x1 || y0 == y1 {
			break
		}
		x, y := d.middle(x0, x1, y0, y1)
		d.compare(x0, x, y0, y)
		x0, y0 = x, y
	}
	for ; x0 < x1; x0++ {
		d.gone[d.atA[x0]] = true
	}
	for ; y0 < y1; y0++ {
		d.born[d.atB[y0]] = true
	}
}

// middle returns a point on a shortest path through the box, which is not empty and neither begins nor ends with equal
// lines. Searching from both ends at once, it gives up at the limit and returns the furthest point found.
func (d *differ) middle(x0, x1, y0, y1 int) (x, y int) {
	start, end := x0-y0, x1-y1 // diagonals
	lo, hi := x0-y1, x1-y0     // of the box
	odd := (start-end)%2 != 0
	f, b := d.fwd, d.bwd
	f[start+d.mid], b[end+d.mid] = x0, x1
	for n := 1; ; n++ {
		first, last := span(start, n, lo, hi)
		for k := last; k >= first; k -= 2 {
			x := nowhere
			if k > start-n && k > lo && f[k-1+d.mid] < x1 { // a line of a goes
				x = f[k-1+d.mid] + 1
			}
			if up := k + 1 + d.mid; k < start+n && k < hi && f[up]-k <= y1 { // a line of b comes
				x = max(x, f[up])
			}
			for x >= x0 && x < x1 && x-k < y1 && d.a[x] == d.b[x-k] {
				x++
			}
			f[k+d.mid] = x
			if odd && k > end-n && k < end+n && x >= b[k+d.mid] {
				return x, x - k
			}
		}
		if n >= d.limit {
			return d.furthest(x0, x1, y0, y1, first, last)
		}
		first, last = span(end, n, lo, hi)
		for k := last; k >= first; k -= 2 {
			x := -nowhere
			if up := k + 1 + d.mid; k < end+n && k < hi && b[up] > x0 {
				x = b[up] - 1
			}
			if k > end-n && k > lo && b[k-1+d.mid]-k >= y0 {
				x = min(x, b[k-1+d.mid])
			}
			for x <= x1 && x > x0 && x-k > y0 && d.a[x-1] == d.b[x-k-1] {
				x--
			}
			b[k+d.mid] = x
			if !odd && k >= start-n && k <= start+n && x <= f[k+d.mid] {
				return x, x - k
			}
		}
	}
}

// nowhere is how far a search got on a diagonal where it cannot be; negated, for the search from the end.
const nowhere = math.MinInt / 4

// span returns the first and the last diagonal that n edits from one can reach inside the bounds.
func span(from, n, lo, hi int) (first, last int) {
	first, last = from-n, from+n
	for first < lo {
		first += 2
	}
	for last > hi {
		last -= 2
	}
	return first, last
}

// furthest returns the point that the search from the start has brought furthest.
func (d *differ) furthest(x0, x1, y0, y1, lo, hi int) (x, y int) {
	best := -1
	for k := lo; k <= hi; k += 2 {
		px := d.fwd[k+d.mid]
		py := px - k
		if px > x1 || py > y1 || px < x0 || py < y0 {
			continue
		}
		if px+py > best && px+py < x1+y1 {
			best, x, y = px+py, px, py
		}
	}
	if best <= x0+y0 {
		return x0 + (x1-x0+1)/2, y0 + (y1-y0)/2
	}
	return x, y
}

// slide moves each run of marked lines to where equal texts are always cut alike: as far down as it goes where the line
// after it equals its first, joining runs that it meets, but back up to the last place where the other text has
// a run too, so that they make one replacement.
func slide(lines []int, marked, other []bool) {
	beside := runs(other)
	n := len(lines)
	kept := 0 // unmarked lines before the run
	for lo := 0; lo < n; {
		if !marked[lo] {
			lo, kept = lo+1, kept+1
			continue
		}
		hi := lo
		for marked[hi] {
			hi++
		}
		matched := -1 // end of the run where the other text has one too
		for size := 0; size != hi-lo; {
			size, matched = hi-lo, -1
			for lo > 0 && lines[lo-1] == lines[hi-1] {
				lo, hi, kept = lo-1, hi-1, kept-1
				marked[lo], marked[hi] = true, false
				for lo > 0 && marked[lo-1] {
					lo--
				}
			}
			if beside[kept] {
				matched = hi
			}
			for hi < n && lines[lo] == lines[hi] {
				marked[lo], marked[hi] = false, true
				lo, hi, kept = lo+1, hi+1, kept+1
				for marked[hi] {
					hi++
				}
				if beside[kept] {
					matched = hi
				}
			}
		}
		for matched >= 0 && hi > matched {
			lo, hi, kept = lo-1, hi-1, kept-1
			marked[lo], marked[hi] = true, false
		}
		lo = hi
	}
}

// runs reports after how many unmarked lines there are marked ones.
func runs(marked []bool) []bool {
	out := []bool{false}
	for _, m := range marked[:len(marked)-1] {
		if m {
			out[len(out)-1] = true
		} else {
			out = append(out, false)
		}
	}
	return out
}

// changes collects the marks of both texts.
func changes(gone, born []bool) []change {
	var out []change
	a, b := 0, 0
	for a < len(gone)-1 || b < len(born)-1 {
		if !gone[a] && !born[b] {
			a++
			b++
			continue
		}
		c := change{a0: a, b0: b}
		for gone[a] {
			a++
		}
		for born[b] {
			b++
		}
		c.a1, c.b1 = a, b
		out = append(out, c)
	}
	return out
}
