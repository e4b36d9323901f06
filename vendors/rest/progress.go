package rest

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

// tell takes from a page what it says about how many there are.
func (p *pass) tell(k *kind, requests int, said page) {
	if k.Parent.Kind != "" || len(k.Listings) > 1 {
		return // of one listing of several
	}
	pages := said.pages
	if pages < 0 && said.total >= 0 && said.found > 0 {
		pages = (said.total + said.found - 1) / said.found
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if pages < 0 {
		pages = p.expected[k.Kind.Kind]
	}
	p.expected[k.Kind.Kind] = max(pages, requests)
}

// count counts a request and the objects that it showed, and tells how far the pass has come.
func (p *pass) count(objects int) {
	p.telling.Lock()
	defer p.telling.Unlock()
	p.mu.Lock()
	p.requests++
	p.objects += objects
	out := Progress{Kind: p.current, Done: p.requests, Objects: p.objects}
	for _, n := range p.expected {
		out.Total += n
	}
	p.mu.Unlock()
	if p.brief || p.d.o.OnProgress == nil {
		return
	}
	out.Total = max(out.Total, out.Done)
	out.Taken = p.d.o.Clock.Now().Sub(p.begun)
	out.Left = p.d.c.budget.need(out.Total - out.Done)
	p.d.o.OnProgress(out)
}
