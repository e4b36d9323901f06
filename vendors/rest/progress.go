package rest

import "github.com/driftback/driftback/vendors"

// expect notes how many requests the listing of a kind took the time before.
func (p *pass) expect(k *kind) {
	p.d.x.mu.Lock()
	t := p.d.x.tables[k.Kind.Kind]
	pages := t.pages
	if t.listed.IsZero() || k.Name.Singleton != "" {
		pages = max(1, pages)
	}
	p.d.x.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected[k.Kind.Kind] = pages
}

// begin says that a kind is being listed from now on, end what it took.
func (p *pass) begin(k *kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current, p.pages, p.heard, p.shown, p.still, p.of, p.before = k.Kind.Kind, 0, 0, 0, 0, -1, p.d.c.sent.Load()
}

func (p *pass) end(k *kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected[k.Kind.Kind] = int(p.d.c.sent.Load() - p.before)
}

// tell takes from a page what it says about how many there are. So many of its objects are still to be looked at.
func (p *pass) tell(k *kind, requests int, said page, still int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pages++
	p.shown += said.found
	p.still = still
	if requests == 1 { // of this listing
		pages := said.pages
		if pages < 0 && said.total >= 0 && said.found > 0 {
			pages = (said.total + said.found - 1) / said.found
		}
		p.heard += max(1, pages)
		p.of = max(0, p.of) + max(0, said.total)
		if k.Parent.Kind == "" && len(k.Listings) == 1 && pages >= 0 {
			p.expected[k.Kind.Kind] = p.heard
		}
	}
	p.expected[k.Kind.Kind] = max(p.expected[k.Kind.Kind], p.heard, p.pages)
}

// estimate is how many requests the kind takes that is being listed: its pages, and as many besides for each object that is still to
// come as for those that have come. p.mu is held.
func (p *pass) estimate() int {
	pages := p.expected[p.current]
	apart, done := int(p.d.c.sent.Load()-p.before)-p.pages, p.shown-p.still
	if apart <= 0 || done <= 0 {
		return pages
	}
	return pages + apart*max(p.shown, p.of)/done
}

// looked says that an object of the page was looked at.
func (p *pass) looked() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.still--
}

// count counts a request and the objects that it showed, and tells how far the pass has come.
func (p *pass) count(objects int) {
	p.telling.Lock()
	defer p.telling.Unlock()
	p.mu.Lock()
	p.requests++
	p.objects += objects
	out := vendors.Progress{Kind: p.current, Done: int(p.d.c.sent.Load() - p.first), Objects: p.objects}
	for kind, n := range p.expected {
		if kind == p.current {
			n = p.estimate()
		}
		out.Total += n
	}
	p.mu.Unlock()
	if p.brief || p.onProgress == nil {
		return
	}
	out.Total = max(out.Total, out.Done)
	out.Taken = p.d.o.Clock.Now().Sub(p.begun)
	out.Left = p.d.c.budget.need(out.Total - out.Done)
	p.onProgress(out)
}
