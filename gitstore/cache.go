package gitstore

import "sync"

// A cache keeps what was read lately: at least the newest max bytes, at most twice as much. It is safe for concurrent use.
type cache struct {
	mu         sync.Mutex
	young, old map[ID]Object
	n, max     int
}

func newCache(limit int) *cache { return &cache{young: map[ID]Object{}, max: limit} }

func (c *cache) get(id ID) (Object, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o, ok := c.young[id]; ok {
		return o, true
	}
	o, ok := c.old[id]
	if ok {
		c.add(o)
	}
	return o, ok
}

func (c *cache) put(o Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.young[o.ID]; !ok {
		c.add(o)
	}
}

func (c *cache) add(o Object) {
	const overhead = 128
	if c.n += len(o.Data) + overhead; c.n > c.max {
		c.young, c.old, c.n = map[ID]Object{}, c.young, len(o.Data)+overhead
	}
	c.young[o.ID] = o
}
